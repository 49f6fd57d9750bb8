// The playground: an editor whose every answer comes from the language server, and the plan beside it.
import { closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, indentUnit } from "@codemirror/language";
import { lintGutter, lintKeymap, nextDiagnostic } from "@codemirror/lint";
import {
  LSPClient,
  findReferencesKeymap,
  formatDocument,
  formatKeymap,
  hoverTooltips,
  jumpToDefinitionKeymap,
  renameKeymap,
  serverCompletion,
  signatureHelp,
} from "@codemirror/lsp-client";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import {
  EditorView,
  drawSelection,
  highlightActiveLine,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { showActions } from "./actions.js";
import { colours } from "./colours.js";
import { diagnostics } from "./diagnostics.js";
import { showPlan } from "./plan.js";
import { connect } from "./server.js";

const find = (id) => document.getElementById(id);

function state(items) {
  const count = (severity) => items.filter((item) => item.severity === severity).length;
  const words = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
  find("state").dataset.errors = count(1);
  find("state").textContent = `${words(count(1), "error")}, ${words(count(2), "warning")}`;
}

const server = await connect(() => {
  find("state").dataset.errors = 1;
  find("state").textContent = "The server has ended: start `llmp serve` again and reload this page.";
});
const program = await (await fetch("program")).json();
const client = new LSPClient({
  timeout: 10_000,
  extensions: [
    serverCompletion(),
    hoverTooltips({ hoverTime: 200 }),
    signatureHelp(),
    keymap.of([...formatKeymap, ...renameKeymap, ...jumpToDefinitionKeymap, ...findReferencesKeymap]),
  ],
}).connect(server);

let drawing;
const view = new EditorView({
  parent: find("editor"),
  state: EditorState.create({
    doc: program.text,
    extensions: [
      lineNumbers(),
      lintGutter(),
      highlightSpecialChars(),
      history(),
      drawSelection(),
      indentUnit.of("  "),
      bracketMatching(),
      closeBrackets(),
      highlightActiveLine(),
      highlightSelectionMatches(),
      keymap.of([
        { key: "Mod-.", run: showActions },
        { key: "F8", run: nextDiagnostic },
        ...closeBracketsKeymap,
        ...completionKeymap,
        ...searchKeymap,
        ...historyKeymap,
        ...lintKeymap,
        ...defaultKeymap,
        indentWithTab,
      ]),
      client.plugin(program.uri, "llmp"),
      colours,
      diagnostics((items) => {
        state(items);
        clearTimeout(drawing);
        drawing = setTimeout(() => showPlan(view), 150);
      }),
      EditorView.theme({ "&": { height: "100%" }, ".cm-scroller": { fontFamily: "ui-monospace, Menlo, Consolas, monospace" } }),
    ],
  }),
});

find("file").textContent = program.name;
document.title = `${program.name} · llmp`;
find("format").addEventListener("click", () => formatDocument(view));
find("actions").addEventListener("click", () => showActions(view));
find("copy").addEventListener("click", () => {
  find("copy").href = URL.createObjectURL(new Blob([view.state.doc.toString()], { type: "text/plain" }));
  find("copy").download = program.name;
});
