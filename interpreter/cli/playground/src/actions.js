// Fixes and refactorings: asked for at the cursor, shown as a menu, applied to the text.
import { LSPPlugin } from "@codemirror/lsp-client";

/// The fix of a diagnostic with a title.
export async function quickFix(plugin, diagnostic, title) {
  plugin.client.sync();
  const found = await plugin.client.request("textDocument/codeAction", {
    textDocument: { uri: plugin.uri },
    range: diagnostic.range,
    context: { diagnostics: [diagnostic], only: ["quickfix"] },
  });
  return found.find((action) => action.title.toLowerCase() === title.toLowerCase()) ?? found[0];
}

/// Applies an edit of the workspace to the one text that is open here.
export function applyEdit(plugin, edit) {
  const edits = edit.changes?.[plugin.uri] ?? [];
  const changes = edits.map((one) => ({
    from: plugin.fromPosition(one.range.start),
    to: plugin.fromPosition(one.range.end),
    insert: one.newText,
  }));
  plugin.view.dispatch({ changes, userEvent: "input.action" });
}

/// Shows what can be done at the selection.
export function showActions(view) {
  const plugin = LSPPlugin.get(view);
  if (!plugin) return false;
  plugin.client.sync();
  const { from, to } = view.state.selection.main;
  const range = { start: plugin.toPosition(from), end: plugin.toPosition(to) };
  const ask = (only) =>
    plugin.client.request("textDocument/codeAction", {
      textDocument: { uri: plugin.uri },
      range,
      context: { diagnostics: [], only: [only] },
    });
  const kinds = ["quickfix", "refactor", "source.fixAll", "source.organizeImports"];
  Promise.all(kinds.map(ask)).then(
    (found) => menu(view, plugin, found.flat()),
    (error) => plugin.reportError("No actions", error),
  );
  return true;
}

function menu(view, plugin, actions) {
  document.querySelector("#menu")?.remove();
  const list = document.createElement("menu");
  list.id = "menu";
  const close = () => {
    view.focus();
    list.remove();
  };
  for (const action of actions) {
    const button = document.createElement("button");
    button.textContent = action.title;
    button.addEventListener("click", () => {
      close();
      applyEdit(plugin, action.edit);
    });
    list.append(button);
  }
  if (actions.length === 0) list.append("Nothing to do here");
  const at = view.coordsAtPos(view.state.selection.main.head) ?? { left: 80, bottom: 80 };
  list.style.left = `${at.left}px`;
  list.style.top = `${at.bottom + 4}px`;
  list.addEventListener("keydown", (event) => {
    const buttons = [...list.querySelectorAll("button")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") close();
    if (step) buttons.at((buttons.indexOf(document.activeElement) + step) % buttons.length)?.focus();
  });
  list.addEventListener("focusout", (event) => {
    if (!list.contains(event.relatedTarget)) list.remove();
  });
  list.tabIndex = -1;
  document.body.append(list);
  (list.querySelector("button") ?? list).focus();
}
