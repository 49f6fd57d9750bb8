// The server through Microsoft's own encoder and decoder.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import protocol from "vscode-languageserver-protocol/node";

const { createProtocolConnection, StreamMessageReader, StreamMessageWriter } = protocol;
const P = protocol;

const PROGRAM = `llmp 1

source books = text("books/*.txt")

dataset clean = books |> detect_language() |> keep_if(.lang == "en") |> dedup_minhash()

tokenizer tok = bpe(train_on = clean, vocab = 4096)

model tiny {
  tokenizer = tok
  layers    = 4
  width     = 192
  heads     = 6
  context   = 256
}

# 𝛼: two units of UTF-16
pretrain core {
  model  = tiny
  data   = clean
  tokens = 4M
}
`;

let server, connection, uri, capabilities, text, version;

const position = (offset) => {
  const lines = text.slice(0, offset).split("\n");
  return { line: lines.length - 1, character: lines.at(-1).length };
};
const offset = ({ line, character }) =>
  text.split("\n").slice(0, line).reduce((sum, one) => sum + one.length + 1, 0) + character;
const behind = (words) => position(text.indexOf(words) + words.length);
const here = (words) => ({ textDocument: { uri }, position: behind(words) });

async function edit(start, end, put) {
  const range = { start: position(start), end: position(end) };
  text = text.slice(0, start) + put + text.slice(end);
  version += 1;
  await connection.sendNotification(P.DidChangeTextDocumentNotification.type, {
    textDocument: { uri, version },
    contentChanges: [{ range, text: put }],
  });
}

async function apply(edits) {
  const places = edits.map((e) => [offset(e.range.start), offset(e.range.end), e.newText]);
  for (const [start, end, put] of places.sort((a, b) => b[0] - a[0])) {
    await edit(start, end, put);
  }
}

async function diagnostics() {
  const report = await connection.sendRequest(P.DocumentDiagnosticRequest.type, { textDocument: { uri } });
  assert.equal(report.kind, "full");
  return report.items.filter((one) => one.severity < 3);
}

async function reset() {
  await edit(0, text.length, PROGRAM);
}

before(async () => {
  const folder = mkdtempSync(join(tmpdir(), "llmp-lsp-"));
  writeFileSync(join(folder, "main.llmp"), PROGRAM);
  uri = pathToFileURL(join(folder, "main.llmp")).href;
  server = spawn(process.env.LLMP, ["lsp"], { stdio: ["pipe", "pipe", "inherit"] });
  connection = createProtocolConnection(new StreamMessageReader(server.stdout), new StreamMessageWriter(server.stdin));
  connection.onRequest(P.RegistrationRequest.type, () => {});
  connection.listen();
  const answer = await connection.sendRequest(P.InitializeRequest.type, {
    processId: process.pid,
    rootUri: null,
    workspaceFolders: [{ uri: pathToFileURL(folder).href, name: "p" }],
    capabilities: { textDocument: { diagnostic: {}, documentSymbol: { hierarchicalDocumentSymbolSupport: true } } },
  });
  capabilities = answer.capabilities;
  await connection.sendNotification(P.InitializedNotification.type, {});
  [text, version] = [PROGRAM, 1];
  await connection.sendNotification(P.DidOpenTextDocumentNotification.type, {
    textDocument: { uri, languageId: "llmp", version, text },
  });
});

after(async () => {
  await connection.sendRequest(P.ShutdownRequest.type);
  const ended = new Promise((done) => server.on("exit", done));
  await connection.sendNotification(P.ExitNotification.type);
  assert.equal(await ended, 0);
});

test("columns are UTF-16 units unless something else was agreed on", () => {
  assert.equal(capabilities.positionEncoding, "utf-16");
});

test("a clean program has no diagnostics", async () => {
  assert.deepEqual(await diagnostics(), []);
});

for (const [right, wrong] of [
  ["layers ", "layrs "],
  ["vocab = 4096", "vocb = 4096"],
  ["tokens = 4M", "tokens = 4M\n  schedule = cosine(peak = 3e-4, warmpu = 2%)"],
  ["tokens = 4M", "tokens = 4M\n  optimizer = adamw(weigth_decay = 0.1)"],
  ["detect_language()", "detect_langage()"],
  [".lang ==", ".lnag =="],
]) {
  test(`the fix of ${wrong.trim().split("\n").at(-1)} leaves a clean file`, async () => {
    await reset();
    const at = text.indexOf(right);
    await edit(at, at + right.length, wrong);
    const [first] = await diagnostics();
    assert.equal(first.severity, 1);
    const [action] = await connection.sendRequest(P.CodeActionRequest.type, {
      textDocument: { uri },
      range: first.range,
      context: { diagnostics: [first], only: ["quickfix"] },
    });
    await apply(action.edit.changes[uri]);
    assert.deepEqual(await diagnostics(), []);
  });
}

test("hover, definition, completion, rename", async () => {
  await reset();
  const hover = await connection.sendRequest(P.HoverRequest.type, here("model ti"));
  assert.match(hover.contents.value, /parameters/);
  const [place] = await connection.sendRequest(P.DefinitionRequest.type, here("model  = ti"));
  assert.deepEqual(place.range.start, position(text.indexOf("tiny {")));
  const list = await connection.sendRequest(P.CompletionRequest.type, here("keep_if(."));
  assert.ok(list.items.some((item) => item.label === "lang_score"));
  const renamed = await connection.sendRequest(P.RenameRequest.type, { ...here("model ti"), newName: "small" });
  await apply(renamed.changes[uri]);
  assert.ok(text.includes("model small {") && text.includes("model  = small"));
  assert.deepEqual(await diagnostics(), []);
});

test("layout and colours", async () => {
  await reset();
  const at = text.indexOf("layers    =");
  await edit(at, at + 11, "layers=");
  const edits = await connection.sendRequest(P.DocumentFormattingRequest.type, {
    textDocument: { uri },
    options: { tabSize: 2, insertSpaces: true },
  });
  await apply(edits);
  assert.equal(text, PROGRAM);
  const tokens = await connection.sendRequest(P.SemanticTokensRequest.type, { textDocument: { uri } });
  assert.equal(tokens.data.length % 5, 0);
  const symbols = await connection.sendRequest(P.DocumentSymbolRequest.type, { textDocument: { uri } });
  assert.deepEqual(symbols.map((s) => s.name), ["books", "clean", "tok", "tiny", "core"]);
});

const whole = { start: { line: 0, character: 0 }, end: { line: 999, character: 0 } };

test("words about words", async () => {
  await reset();
  const marks = await connection.sendRequest(P.DocumentHighlightRequest.type, here("model ti"));
  assert.equal(marks.length, 2);
  const context = { includeDeclaration: true };
  const uses = await connection.sendRequest(P.ReferencesRequest.type, { ...here("model ti"), context });
  assert.equal(uses.length, 2);
  const word = await connection.sendRequest(P.PrepareRenameRequest.type, here("model ti"));
  assert.equal(word.placeholder, "tiny");
  const [kind] = await connection.sendRequest(P.TypeDefinitionRequest.type, here("model ti"));
  assert.match(kind.uri, /model\.md$/);
  const help = await connection.sendRequest(P.SignatureHelpRequest.type, here("bpe("));
  assert.match(help.signatures[0].label, /^bpe\(/);
  const hints = await connection.sendRequest(P.InlayHintRequest.type, { textDocument: { uri }, range: whole });
  assert.ok(hints.some((hint) => hint.label.includes("parameters")));
  const list = await connection.sendRequest(P.CompletionRequest.type, here("keep_if(."));
  const resolved = await connection.sendRequest(P.CompletionResolveRequest.type, list.items[0]);
  assert.equal(resolved.label, list.items[0].label);
});

test("the shape of a document", async () => {
  await reset();
  const of = { textDocument: { uri } };
  const folds = await connection.sendRequest(P.FoldingRangeRequest.type, of);
  assert.ok(folds.some((fold) => fold.endLine > fold.startLine));
  const positions = [behind("vocab = 40")];
  const [range] = await connection.sendRequest(P.SelectionRangeRequest.type, { ...of, positions });
  assert.ok(range.parent);
  const found = await connection.sendRequest(P.WorkspaceSymbolRequest.type, { query: "bks" });
  assert.equal(found[0].name, "books");
  const full = await connection.sendRequest(P.SemanticTokensRequest.type, of);
  const part = await connection.sendRequest(P.SemanticTokensRangeRequest.type, { ...of, range: whole });
  assert.deepEqual(part.data, full.data);
  const previousResultId = full.resultId;
  const delta = await connection.sendRequest(P.SemanticTokensDeltaRequest.type, { ...of, previousResultId });
  assert.deepEqual(delta.edits, []);
});

test("plans, lineage, moved files", async () => {
  await reset();
  const of = { textDocument: { uri } };
  const lenses = await connection.sendRequest(P.CodeLensRequest.type, of);
  const { command } = lenses.find((lens) => lens.command.command === "llmp.showPlan");
  const call = { command: command.command, arguments: command.arguments };
  const plan = await connection.sendRequest(P.ExecuteCommandRequest.type, call);
  assert.match(plan.mermaid, /^flowchart TD/);
  assert.match(plan.svg, /^<svg /);
  const [item] = await connection.sendRequest(P.CallHierarchyPrepareRequest.type, here("pretrain co"));
  const made = await connection.sendRequest(P.CallHierarchyOutgoingCallsRequest.type, { item });
  assert.deepEqual(made.map((one) => one.to.name).sort(), ["clean", "tiny"]);
  const [tok] = await connection.sendRequest(P.CallHierarchyPrepareRequest.type, here("tokenizer to"));
  const uses = await connection.sendRequest(P.CallHierarchyIncomingCallsRequest.type, { item: tok });
  assert.deepEqual(uses.map((one) => one.from.name), ["tiny"]);
  const files = [{ oldUri: uri, newUri: uri.replace("main", "other") }];
  assert.equal(await connection.sendRequest(P.WillRenameFilesRequest.type, { files }), null);
});

test("refactorings", async () => {
  await reset();
  const at = text.indexOf("192");
  const range = { start: position(at), end: position(at + 3) };
  const ask = (only, range) =>
    connection.sendRequest(P.CodeActionRequest.type, {
      textDocument: { uri },
      range,
      context: { diagnostics: [], only: [only] },
    });
  const titles = (await ask("refactor.extract", range)).map((action) => action.title);
  assert.deepEqual(titles, ["Extract into a `let`", "Extract into a `param`"]);
  await edit(text.indexOf("layers"), text.indexOf("layers") + 6, "layrs");
  await edit(text.indexOf("vocab"), text.indexOf("vocab") + 5, "vocb");
  const [all] = await ask("source.fixAll.llmp", whole);
  await apply(all.edit.changes[uri]);
  assert.deepEqual(await diagnostics(), []);
  const imports = 'use { llama } from "std/arch"\nuse { gopher } from "std/data"\n'.split("\n");
  await edit(8, 8, [imports[1], imports[0], "", ""].join("\n"));
  const [sorted] = await ask("source.organizeImports", whole);
  await apply(sorted.edit.changes[uri]);
  assert.ok(text.indexOf("llama") < text.indexOf("gopher"), text);
});

test("a request that is taken back still gets an answer", async () => {
  const source = new P.CancellationTokenSource();
  const asked = connection.sendRequest(P.HoverRequest.type, here("model ti"), source.token);
  source.cancel();
  await asked.catch((error) => assert.equal(error.code, -32800));
});
