"use strict";
/* Elements, numbers, tooltips. Content is only ever set as text. */
const facts = JSON.parse(document.getElementById("facts").textContent);
const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "g", "rect", "line", "text", "path", "title"]);

function el(name, attributes, ...children) {
  const node = DRAWN.has(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
    else if (key === "style") Object.assign(node.style, value);
    else if (key === "tip") tip(node, value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

const count = (n) => Math.round(n).toLocaleString("en-US");

function short(n) {
  const size = Math.abs(n);
  for (const [limit, unit] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= limit) return trim((n / limit).toFixed(size >= 100 * limit ? 0 : size >= 10 * limit ? 1 : 2)) + unit;
  }
  return Number.isInteger(n) ? String(n) : digits(n);
}

const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
const digits = (n) => (n === 0 ? "0" : Math.abs(n) >= 1e5 || Math.abs(n) < 1e-3 ? n.toExponential(1) : trim(n.toPrecision(3)));

function bytes(n) {
  for (const [limit, unit] of [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
    if (n >= limit) return (n / limit).toFixed(n >= 100 * limit ? 0 : 1) + " " + unit;
  }
  return Math.round(n) + " B";
}

/* Never rounded to all or nothing. */
function percent(part, whole) {
  if (!whole) return "–";
  if (part === whole) return "100%";
  const share = (100 * part) / whole;
  return Math.min(99.9, Math.max(part ? 0.1 : 0, share)).toFixed(1) + "%";
}

const UNITS = {
  documents: { name: "documents", of: (flow) => [flow.in, flow.out], show: count },
  bytes: { name: "bytes", of: (flow) => [flow.bytes_in, flow.bytes_out], show: bytes },
};

const bubble = el("div", { id: "tip", role: "presentation" });
document.body.append(bubble);

function tip(node, words) {
  const place = (event) => {
    const x = Math.min(event.clientX + 14, window.innerWidth - bubble.offsetWidth - 8);
    const y = Math.min(event.clientY + 16, window.innerHeight - bubble.offsetHeight - 8);
    bubble.style.left = x + "px";
    bubble.style.top = y + "px";
  };
  node.addEventListener("pointerenter", (event) => {
    bubble.textContent = words;
    bubble.classList.add("on");
    place(event);
  });
  node.addEventListener("pointermove", place);
  node.addEventListener("pointerleave", () => bubble.classList.remove("on"));
}

/* Sources keep their colours through the page. */
const sourceNames = facts.sources.map((source) => source.name);
for (const row of facts.funnel) {
  for (const name of Object.keys(row.sources)) if (!sourceNames.includes(name)) sourceNames.push(name);
}
const colour = (k) => `var(--s${k % 8})`;
const sourceColour = (name) => colour(Math.max(0, sourceNames.indexOf(name)));

function legend(entries) {
  return el("ul", { class: "legend" }, entries.map(([name, colour, hatched]) =>
    el("li", {}, el("i", { style: { background: colour }, class: hatched ? "hatch" : null }), name)));
}

/* A row of buttons of which one is pressed. */
function choice(label, options, chosen, change) {
  const buttons = options.map(([value, name]) => el("button", {
    type: "button",
    "aria-pressed": String(value === chosen),
    on: {
      click: (event) => {
        for (const button of buttons) button.setAttribute("aria-pressed", String(button === event.currentTarget));
        change(value);
      },
    },
  }, name));
  return el("div", { class: "switch", role: "group", "aria-label": label }, buttons);
}

/* The numbers of a chart as a table: for screen readers, for copying. */
function numbers(head, rows) {
  return el("details", {}, el("summary", {}, "As a table"), grid(head, rows));
}

function grid(head, rows, options) {
  const numeric = head.map((_, k) => rows.length > 0 && rows.every((row) => typeof row[k] === "number" || (row[k] && row[k].right)));
  const cell = (value) => (value && value.right !== undefined ? value.right : typeof value === "number" ? count(value) : value);
  return el("div", { class: "wrap", tabindex: rows.length > 8 || head.length > 6 ? 0 : null },
    el("table", options || {},
      el("thead", {}, el("tr", {}, head.map((name, k) => el("th", { scope: "col", class: numeric[k] ? "num" : null }, name)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((value, k) =>
        value instanceof HTMLTableCellElement ? value : el("td", { class: numeric[k] ? "num" : null }, cell(value))))))));
}

const right = (words) => ({ right: words });
