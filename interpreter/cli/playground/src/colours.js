// Colours by meaning and hints between the words, as the server gives them.
import { RangeSetBuilder, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, WidgetType } from "@codemirror/view";
import { asking } from "./asking.js";

const words = StateEffect.define();
const hints = StateEffect.define();

class Hint extends WidgetType {
  constructor(label) {
    super();
    this.label = label;
  }
  eq(other) {
    return other.label === this.label;
  }
  toDOM() {
    const dom = document.createElement("span");
    dom.className = "hint";
    dom.textContent = this.label;
    return dom;
  }
}

function field(effect) {
  return StateField.define({
    create: () => Decoration.none,
    update(value, transaction) {
      const set = transaction.effects.find((one) => one.is(effect));
      return set ? set.value : value.map(transaction.changes);
    },
    provide: (self) => EditorView.decorations.from(self),
  });
}

/// Numbers of the protocol as decorations.
function decorated(plugin, data) {
  const { tokenTypes } = plugin.client.serverCapabilities.semanticTokensProvider.legend;
  const doc = plugin.view.state.doc;
  const builder = new RangeSetBuilder();
  let line = 0;
  let character = 0;
  for (let at = 0; at + 4 < data.length; at += 5) {
    character = data[at] === 0 ? character + data[at + 1] : data[at + 1];
    line += data[at];
    const from = plugin.fromPosition({ line, character }, doc);
    const to = Math.min(from + data[at + 2], doc.length);
    if (to > from) builder.add(from, to, Decoration.mark({ class: `tok-${tokenTypes[data[at + 3]]}` }));
  }
  return builder.finish();
}

function placed(plugin, found) {
  const one = (hint) =>
    Decoration.widget({ widget: new Hint(hint.label), side: 1 }).range(plugin.fromPosition(hint.position));
  return Decoration.set(found.map(one), true);
}

function question(plugin) {
  const textDocument = { uri: plugin.uri };
  const range = { start: { line: 0, character: 0 }, end: plugin.toPosition(plugin.view.state.doc.length) };
  return Promise.all([
    plugin.client.request("textDocument/semanticTokens/full", { textDocument }),
    plugin.client.request("textDocument/inlayHint", { textDocument, range }),
  ]);
}

const asker = asking(80, question, (view, plugin, [tokens, found]) => {
  if (!tokens) return;
  const effects = [words.of(decorated(plugin, tokens.data)), hints.of(placed(plugin, found ?? []))];
  view.dispatch({ effects });
});

/// Colours and hints.
export const colours = [field(words), field(hints), asker];
