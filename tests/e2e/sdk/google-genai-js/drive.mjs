// Calls a proxy as an app would, with the google-genai SDK for Node; prints one JSON object.
import { GoogleGenAI } from "@google/genai";

const client = new GoogleGenAI({
  apiKey: process.env.APP_KEY,
  httpOptions: { baseUrl: process.argv[2] },
});
const QUESTION = "What should I wear?";
const asked = (fields) => ({ model: "recommender", contents: QUESTION, ...fields });
const ask = (fields) => client.models.generateContent(asked(fields));
const heard = async (fields) => {
  const chunks = [];
  for await (const chunk of await client.models.generateContentStream(asked(fields))) {
    chunks.push(chunk);
  }
  return chunks;
};

const FACTS = {
  text: async () => (await ask()).text,
  headers: async () => {
    const reply = await ask();
    return [reply.sdkHttpResponse.headers["x-proxy-version"], reply.text];
  },
  stream: async () => (await heard()).map((chunk) => chunk.text ?? "").join(""),
  chat: async () => {
    const talk = client.chats.create({ model: "recommender" });
    return (await talk.sendMessage({ message: QUESTION })).text;
  },
  tool_call: async () => (await ask({ contents: "call search_catalogue" })).functionCalls[0].name,
  structured: async () => {
    const schema = { type: "OBJECT", properties: { order_id: { type: "STRING" } } };
    const config = { responseMimeType: "application/json", responseSchema: schema };
    return Object.keys(JSON.parse((await ask({ model: "open", config })).text));
  },
  count: async () => {
    const counted = await client.models.countTokens(asked());
    return counted.totalTokens === (await ask()).usageMetadata.promptTokenCount;
  },
  embeddings: async () => {
    const made = await client.models.embedContent({ model: "embedder", contents: ["a", "b"] });
    return made.embeddings.map((one) => one.values.length);
  },
  models: async () => {
    const names = [];
    for await (const model of await client.models.list()) names.push(model.name);
    return names;
  },
  unknown_model: () => ask({ model: "nobody" }),
  vendor_refuses: () => ask({ contents: "hi [[sim:status 429]]" }),
  broken_stream: () => heard({ contents: "hi [[sim:cut after=3]]" }),
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
