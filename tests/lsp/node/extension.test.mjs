// The packaged extension: what is in the archive, and what its grammar makes of a program.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

const require = createRequire(import.meta.url);
const oniguruma = require("vscode-oniguruma");
const textmate = require("vscode-textmate");

test("the archive holds what the extension needs", () => {
  const names = execFileSync("unzip", ["-Z1", process.env.VSIX], { encoding: "utf8" }).split("\n");
  for (const name of ["package.json", "dist/extension.js", "language-configuration.json", "syntaxes/llmp.tmLanguage.json"]) {
    assert.ok(names.includes(`extension/${name}`), name);
  }
  assert.ok(!names.some((name) => name.includes("node_modules")));
});

test("the grammar colours what stands there", async () => {
  const wasm = readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm"));
  await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async () => textmate.parseRawGrammar(readFileSync(process.env.GRAMMAR, "utf8"), "llmp.json"),
  });
  const grammar = await registry.loadGrammar("source.llmp");
  const scopes = (line, word) => {
    const { tokens } = grammar.tokenizeLine(line, textmate.INITIAL);
    const at = line.indexOf(word);
    return tokens.find((token) => token.startIndex <= at && at < token.endIndex).scopes.at(-1);
  };
  for (const [line, word, scope] of [
    ["llmp 1", "llmp", "keyword.control.llmp"],
    ["model tiny {", "model", "storage.type.llmp"],
    ["model tiny {", "tiny", "entity.name.type.llmp"],
    ["  layers = 4", "layers", "variable.other.property.llmp"],
    ["  tokens = 14.8T tokens # all", "14.8", "constant.numeric.llmp"],
    ["  tokens = 14.8T tokens # all", "T tok", "keyword.other.unit.llmp"],
    ["  tokens = 14.8T tokens # all", "# all", "comment.line.number-sign.llmp"],
    ["  |> keep_if(.lang == \"en\")", "|>", "keyword.operator.pipe.llmp"],
    ["  |> keep_if(.lang == \"en\")", ".lang", "variable.other.column.llmp"],
    ["  |> keep_if(.lang == \"en\")", "keep_if", "entity.name.function.llmp"],
    ["source a[x in XS] = text(\"d/{x}/*.txt\")", "/*.txt", "string.quoted.double.llmp"],
    ["let s = r\"a{b\"", "a{b", "string.quoted.raw.llmp"],
    ["use { a } from \"std/arch\"", "use", "keyword.control.import.llmp"],
    ["@allow(LLMP0208)", "allow", "storage.modifier.attribute.llmp"],
  ]) {
    assert.equal(scopes(line, word), scope, `${word} in ${line}`);
  }
});
