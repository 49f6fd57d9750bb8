// Questions to the server that are asked anew whenever the text has not changed for a moment.
import { ViewPlugin } from "@codemirror/view";
import { LSPPlugin } from "@codemirror/lsp-client";

/// A plugin of the editor: `question(plugin)` gives a promise, `take(view, plugin, answer)` gets what it gave about the newest text.
export function asking(pause, question, take) {
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
          this.timer = setTimeout(() => this.ask(), pause);
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
        const answer = await question(plugin).catch(() => null);
        // An older answer than the newest question: the next one comes.
        if (!answer || number !== this.asked || !plugin.unsyncedChanges.empty) return;
        take(this.view, plugin, answer);
      }
    },
  );
}
