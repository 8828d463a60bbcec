// The card's lines for transformers.js, run on a local folder: prints, for each text, the tag of each token.
//
//     node tags.mjs FOLDER 'pipeline("token-classification", "path/to/…", { dtype: "q8" })' '["text", …]'

import path from "node:path";
import { env, pipeline } from "@huggingface/transformers";

const [folder, call, texts] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = path.dirname(path.resolve(folder));
const options = JSON.parse(call.match(/\{.*\}/s)[0].replace(/(\w+):/g, '"$1":'));
const [, task] = call.match(/pipeline\("([^"]+)"/);
const ner = await pipeline(task, path.basename(folder), options);
const tags = [];
for (const text of JSON.parse(texts)) {
  const tokens = await ner(text, { ignore_labels: [] });
  tags.push(tokens.map((token) => [token.index, token.entity]));
}
console.log("tags:" + JSON.stringify(tags));
