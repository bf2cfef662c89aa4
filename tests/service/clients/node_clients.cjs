// Clients in JavaScript; prints what each makes of a service.
//   NODE_PATH=folder/node_modules node node_clients.cjs URL RUDE KIND
const axios = require("axios");
const OpenAI = require("openai");
const Perspective = require("perspective-api-client");

const [url, rude, kind] = process.argv.slice(2);

// Its address is fixed: the one line to change.
axios.interceptors.request.use((config) => ({
  ...config,
  url: config.url.replace("https://commentanalyzer.googleapis.com", url),
}));

async function main() {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "any", maxRetries: 0 });
  const moderation = await client.moderations.create({ input: [rude, kind] });
  const perspective = new Perspective({ apiKey: "any" });
  const comment = await perspective.analyze(rude, { attributes: ["insult"] });
  const empty = await perspective.analyze(" ", { attributes: ["insult"] }).catch((e) => e.message);
  const unknown = await client.models.retrieve("gpt-4").catch((e) => e.status);
  const wrong = await client.moderations.create({ input: kind, model: "gpt-4" }).catch((e) => e);
  console.log(
    JSON.stringify({
      flagged: moderation.results.map((one) => one.flagged),
      score: moderation.results[0].category_scores.harassment,
      insult: comment.attributeScores.INSULT.summaryScore.value,
      empty,
      unknown,
      wrong: [wrong.status, wrong.code],
    }),
  );
}

main();
