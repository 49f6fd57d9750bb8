// What is wrong, asked for after each change: squiggles, their codes, and a button for each fix.
import { setDiagnostics } from "@codemirror/lint";
import { applyEdit, quickFix } from "./actions.js";
import { asking } from "./asking.js";

const SEVERITIES = ["error", "error", "warning", "info", "hint"];

/// Asks whenever the text has not changed for a moment; `told` gets the diagnostics of the newest text.
export function diagnostics(told) {
  const question = (plugin) => plugin.client.request("textDocument/diagnostic", { textDocument: { uri: plugin.uri } });
  return asking(60, question, (view, plugin, report) => {
    view.dispatch(setDiagnostics(view.state, report.items.map((item) => shown(plugin, item))));
    told(report.items);
  });
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
