// The plan as a drawing, and what it costs.
import { LSPPlugin } from "@codemirror/lsp-client";

const find = (id) => document.getElementById(id);

/// `2.65 M`, `1.3e12`.
function short(number) {
  for (const [size, letter] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (number >= size) return number < 1e15 ? `${(number / size).toPrecision(3)}${letter}` : number.toExponential(2);
  }
  return String(number);
}

function bytes(number) {
  for (const [size, unit] of [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (number >= size) return `${(number / size).toPrecision(3)} ${unit}`;
  }
  return `${number} bytes`;
}

function table(id, head, rows) {
  const row = (cells, tag) => {
    const line = document.createElement("tr");
    for (const cell of cells) {
      const one = document.createElement(tag);
      one.textContent = cell;
      line.append(one);
    }
    return line;
  };
  find(id).replaceChildren(...(rows.length > 0 ? [row(head, "th")] : []), ...rows.map((cells) => row(cells, "td")));
}

/// Asks for the plan of the text as it is and draws it. A program with errors keeps its last drawing, greyed out.
export async function showPlan(view) {
  const plugin = LSPPlugin.get(view);
  plugin.client.sync();
  const aside = document.querySelector("aside");
  let plan;
  try {
    const call = { command: "llmp.showPlan", arguments: [plugin.uri] };
    plan = await plugin.client.request("workspace/executeCommand", call);
  } catch (error) {
    find("problem").textContent = error.message;
    find("problem").hidden = false;
    aside.dataset.old = "";
    return;
  }
  find("problem").hidden = true;
  delete aside.dataset.old;
  // A root of its own: the drawing brings its own styles.
  const host = find("graph");
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  root.innerHTML = plan.svg;
  table("models", ["", "parameters", "without embeddings", "used for a token"], plan.models.map(
    (one) => [one.name, short(one.parameters), short(one.non_embedding), short(one.active)],
  ));
  table("stages", ["", "tokens", "steps", "FLOPs", "memory"], plan.stages.map(
    (one) => [one.name, short(one.tokens), short(one.steps), one.flops.toExponential(2), bytes(one.memory_bytes)],
  ));
  find("estimates").textContent = plan.estimates;
}
