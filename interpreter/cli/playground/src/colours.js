// Colours by meaning and hints between the words, as the server gives them.
import { RangeSetBuilder, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, ViewPlugin, WidgetType } from "@codemirror/view";
import { LSPPlugin } from "@codemirror/lsp-client";

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

const asker = ViewPlugin.fromClass(
  class {
    constructor(view) {
      this.view = view;
      this.asked = 0;
      this.ask();
    }

    update(update) {
      if (update.docChanged) {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.ask(), 80);
      }
    }

    destroy() {
      clearTimeout(this.timer);
    }

    async ask() {
      const number = ++this.asked;
      await Promise.resolve();
      const plugin = LSPPlugin.get(this.view);
      if (!plugin) return;
      plugin.client.sync();
      const textDocument = { uri: plugin.uri };
      const range = { start: { line: 0, character: 0 }, end: plugin.toPosition(this.view.state.doc.length) };
      const [tokens, found] = await Promise.all([
        plugin.client.request("textDocument/semanticTokens/full", { textDocument }),
        plugin.client.request("textDocument/inlayHint", { textDocument, range }),
      ]).catch(() => [null, null]);
      if (!tokens || number !== this.asked || !plugin.unsyncedChanges.empty) return;
      const effects = [words.of(decorated(plugin, tokens.data)), hints.of(placed(plugin, found ?? []))];
      this.view.dispatch({ effects });
    }
  },
);

/// Colours and hints.
export const colours = [field(words), field(hints), asker];
