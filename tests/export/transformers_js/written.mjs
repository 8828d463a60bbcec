// The card's lines for transformers.js, run on a local folder: prints the conclusion of each report.
//
//     node written.mjs FOLDER 'pipeline("text2text-generation", "path/to/…", { dtype: "q8" })' '["report", …]'

import path from "node:path";
import { env, pipeline } from "@huggingface/transformers";

const [folder, call, reports] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = path.dirname(path.resolve(folder));
const options = JSON.parse(call.match(/\{.*\}/s)[0].replace(/(\w+):/g, '"$1":'));
const [, task] = call.match(/pipeline\("([^"]+)"/);
const write = await pipeline(task, path.basename(folder), options);
const written = [];
for (const report of JSON.parse(reports)) {
  const [answer] = await write("conclusion : " + report, { no_repeat_ngram_size: 6 });
  written.push(answer.generated_text);
}
console.log("written:" + JSON.stringify(written));
