// Calls a proxy as an app would, with the openai SDK for Node; prints one JSON object.
import OpenAI, { AzureOpenAI } from "openai";

const apiKey = process.env.APP_KEY;
const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey, maxRetries: 0 });
const azure = new AzureOpenAI({
  endpoint: process.argv[2],
  apiVersion: "2025-04-01-preview",
  apiKey,
  maxRetries: 0,
});
const QUESTION = [{ role: "user", content: "What should I wear?" }];
const STAMP = "x-proxy-version";
const body = (fields) => ({ model: "recommender", messages: QUESTION, ...fields });
const said = (content) => body({ messages: [{ role: "user", content }] });
const ask = (fields) => client.chat.completions.create(body(fields));

const FORMAT = {
  type: "json_schema",
  json_schema: {
    name: "verdict",
    strict: true,
    schema: {
      type: "object",
      properties: { text: { type: "string" }, score: { type: "number" } },
      required: ["text", "score"],
      additionalProperties: false,
    },
  },
};

async function joined(events) {
  let text = "";
  for await (const event of events) text += event.choices[0]?.delta?.content ?? event.choices[0]?.text ?? "";
  return text;
}

const FACTS = {
  text: async () => (await ask()).choices[0].message.content,
  headers: async () => {
    const { data, response } = await ask().withResponse();
    return [response.headers.get(STAMP), data.choices[0].message.content];
  },
  stream: async () => {
    const { data, response } = await ask({ stream: true }).withResponse();
    return [response.headers.get(STAMP), await joined(data)];
  },
  stream_helper: async () => await client.chat.completions.stream(body()).finalContent(),
  tool_call: async () => {
    const reply = await client.chat.completions.create(said("call search_catalogue"));
    return reply.choices[0].message.tool_calls[0].function.name;
  },
  structured: async () => {
    const reply = await client.chat.completions.parse(body({ response_format: FORMAT }));
    return reply.choices[0].message.parsed.score;
  },
  responses: async () => {
    const reply = await client.responses.create({ model: "recommender", input: "What should I wear?" });
    return reply.output_text;
  },
  responses_stream: async () => {
    const events = client.responses.stream({ model: "recommender", input: "What should I wear?" });
    return (await events.finalResponse()).output_text;
  },
  background: async () => {
    const asked = { model: "recommender", input: "What should I wear?", background: true };
    let { id, status, output_text: text } = await client.responses.create(asked);
    const states = [status];
    while (status === "queued" || status === "in_progress") {
      ({ status, output_text: text } = await client.responses.retrieve(id));
      states.push(status);
    }
    await client.responses.delete(id);
    return [states, text];
  },
  embedded: async () => {
    const reply = await client.embeddings.create({ model: "recommender", input: "rain" });
    return reply.data[0].embedding.length;
  },
  completed: async () => {
    const asked = { model: "recommender", prompt: "What should I wear?" };
    const whole = (await client.completions.create(asked)).choices[0].text;
    return whole === (await joined(await client.completions.create({ ...asked, stream: true })));
  },
  azure: async () => (await azure.chat.completions.create(body())).choices[0].message.content,
  models: async () => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    return ids;
  },
  broken_stream: async () => {
    const request = { ...said("[[sim:cut after=3]]"), stream: true };
    return await joined(await client.chat.completions.create(request));
  },
  unknown_model: () => ask({ model: "nobody" }),
  vendor_refuses: () => client.chat.completions.create(said("hi [[sim:status 429]]")),
};

const found = {};
for (const [name, fact] of Object.entries(FACTS)) {
  try {
    found[name] = { result: await fact() };
  } catch (error) {
    const { code = null, status = null } = error;
    found[name] = { error: error.constructor.name, code, status };
  }
}
process.stdout.write(JSON.stringify(found));
