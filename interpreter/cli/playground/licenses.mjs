// Licenses of the packages that the bundle holds, each text once, for page/LICENSES.txt.
import { readFileSync, readdirSync } from "node:fs";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
const holders = new Map();
for (const [folder, entry] of Object.entries(lock.packages).sort()) {
  if (folder === "" || entry.dev) continue;
  const about = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((name) => /^licen[sc]e/i.test(name));
  const words = file ? readFileSync(`${folder}/${file}`, "utf8").replaceAll("\r", "").trim() : about.license;
  holders.set(words, [...(holders.get(words) ?? []), `${about.name} ${about.version} (${about.license})`]);
}
for (const [words, names] of holders) console.log(`${names.join("\n")}\n\n${words}\n\n${"-".repeat(80)}\n`);
