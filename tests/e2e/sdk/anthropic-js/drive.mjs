// Calls a proxy as an app would, with the anthropic SDK for Node; prints one JSON object.
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({
  baseURL: process.argv[2],
  apiKey: process.env.APP_KEY,
  maxRetries: 0,
});
const QUESTION = [{ role: "user", content: "What should I wear?" }];
const body = (fields) => ({
  model: "recommender",
  messages: QUESTION,
  max_tokens: 1000,
  ...fields,
});
const said = (content) => body({ messages: [{ role: "user", content }] });

const FACTS = {
  text: async () => (await client.messages.create(body())).content[0].text,
  headers: async () => {
    const { data, response } = await client.messages.create(body()).withResponse();
    return [response.headers.get("x-proxy-version"), data.content[0].text];
  },
  stream: async () => {
    const request = client.messages.create(body({ stream: true }));
    const { data, response } = await request.withResponse();
    let text = "";
    for await (const event of data) {
      if (event.type === "content_block_delta") text += event.delta.text;
    }
    return [response.headers.get("x-proxy-version"), text];
  },
  stream_helper: async () => (await client.messages.stream(body()).finalMessage()).content[0].text,
  tool_call: async () => (await client.messages.create(said("call search_catalogue"))).content[0].name,
  count: async () => {
    const counted = await client.messages.countTokens({ model: "recommender", messages: QUESTION });
    return counted.input_tokens === (await client.messages.create(body())).usage.input_tokens;
  },
  models: async () => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    return ids;
  },
  broken_stream: async () => {
    const events = [];
    const request = { ...said("[[sim:cut after=4]]"), stream: true };
    for await (const event of await client.messages.create(request)) events.push(event.type);
    return events;
  },
  unknown_model: () => client.messages.create(body({ model: "nobody" })),
  sampled: () => client.messages.create(body({ model: "warm" })),
  vendor_refuses: () => client.messages.create(said("hi [[sim:status 429]]")),
};

const found = {};
for (const [name, fact] of Object.entries(FACTS)) {
  try {
    found[name] = { result: await fact() };
  } catch (error) {
    found[name] = { error: error.constructor.name, status: error.status ?? null };
  }
}
process.stdout.write(JSON.stringify(found));
