// What is wrong, asked for after each change: squiggles, their codes, and a button for each fix.
import { setDiagnostics } from "@codemirror/lint";
import { ViewPlugin } from "@codemirror/view";
import { LSPPlugin } from "@codemirror/lsp-client";
import { applyEdit, quickFix } from "./actions.js";

const SEVERITIES = ["error", "error", "warning", "info", "hint"];

/// Asks whenever the text has not changed for a moment; `told` gets the diagnostics of the newest text.
export function diagnostics(told) {
  return ViewPlugin.fromClass(
    class {
      constructor(view) {
        this.view = view;
        this.asked = 0;
        this.ask();
      }

      update(update) {
        if (update.docChanged) {
          clearTimeout(this.timer);
          this.timer = setTimeout(() => this.ask(), 60);
        }
      }

      destroy() {
        clearTimeout(this.timer);
      }

      async ask() {
        const number = ++this.asked;
        // The plugin of the client stands ready once the view is made.
        await Promise.resolve();
        const plugin = LSPPlugin.get(this.view);
        if (!plugin) return;
        plugin.client.sync();
        const params = { textDocument: { uri: plugin.uri } };
        const report = await plugin.client.request("textDocument/diagnostic", params).catch(() => null);
        // An older answer than the newest question: the next one comes.
        if (!report || number !== this.asked || !plugin.unsyncedChanges.empty) return;
        this.view.dispatch(setDiagnostics(this.view.state, report.items.map((item) => shown(plugin, item))));
        told(report.items);
      }
    },
  );
}

function shown(plugin, item) {
  const actions = (item.data?.fixes ?? []).map((title) => ({
    name: title.charAt(0).toUpperCase() + title.slice(1),
    apply: async () => {
      const fix = await quickFix(plugin, item, title);
      if (fix) applyEdit(plugin, fix.edit);
    },
  }));
  return {
    from: plugin.fromPosition(item.range.start),
    to: plugin.fromPosition(item.range.end),
    severity: SEVERITIES[item.severity ?? 1],
    source: item.code,
    message: item.message,
    actions,
  };
}
