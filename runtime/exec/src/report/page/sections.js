/* Sections of the page: each gives its content, or the words to say where there is nothing to show. */

const nothing = (words) => el("p", { class: "empty" }, words);
const lead = (words) => el("p", { class: "lead" }, words);

function funnelSection() {
  const body = el("div", {}, funnel("documents"));
  const units = [["documents", "Documents"], ["bytes", "Bytes"]];
  const rows = facts.funnel.map((row) => [row.step, row.op, row.in, row.out, right(percent(row.out, row.in)), right(bytes(row.bytes_in)), right(bytes(row.bytes_out)),
    right(row.tokens_out ? (row.op === "tokenize" ? "" : "≈ ") + short(row.tokens_out) : "–"), row.edited || 0]);
  const names = sourceNames.filter((name) => facts.funnel.some((row) => row.sources[name]));
  return [
    el("div", { class: "bar-head" }, lead("Documents through every step, in the order of the run. A dashed line begins another branch."),
      choice("Unit", units, "documents", (unit) => body.replaceChildren(funnel(unit)))),
    legend([...(names.length ? names : ["kept"]).map((name) => [name, names.length ? sourceColour(name) : "var(--kept)"]), ["dropped, or cut out of texts", "var(--lost)", true]]),
    body,
    numbers(["step", "does", "in", "out", "kept", "bytes in", "bytes out", "tokens out", "edited"], rows),
  ];
}

function sourcesSection() {
  const names = sourceNames.filter((name) => facts.funnel.some((row) => row.sources[name] && row.sources[name].in > 0));
  if (names.length === 0) return nothing("The results come from a version of llmp that did not count by source; run again to see it.");
  const steps = facts.funnel.filter((row) => Object.keys(row.sources).length > 0);
  const rows = names.map((name) => {
    const cells = steps.map((row) => {
      const flow = row.sources[name];
      if (!flow || flow.in === 0) return el("td", { class: "heat" }, "");
      const share = flow.out / flow.in;
      return el("td", {
        class: "heat mark", "data-value": flow.out, style: { background: `color-mix(in oklab, var(--lost) ${Math.round((1 - share) * 62)}%, transparent)` },
        tip: `${name} in ${row.step}\n${count(flow.in)} in, ${count(flow.out)} out\n${Object.entries(flow.reasons || {}).map(([why, n]) => `${why} ${count(n)}`).join("\n")}`,
      }, percent(flow.out, flow.in));
    });
    return [el("td", {}, el("i", { style: { background: sourceColour(name), display: "inline-block", width: "0.7rem", height: "0.7rem", borderRadius: "3px", marginRight: "0.45rem" } }), name), ...cells];
  });
  return [
    lead("What each step kept of each source. A filter that was made for one kind of text shows here when it meets another."),
    figure("sources", null, null, grid(["source", ...steps.map((row) => row.step)], rows)),
  ];
}

function reasonsSection() {
  const reasons = facts.reasons.filter((reason) => reason.documents > 0);
  if (reasons.length === 0) return nothing("No document was dropped.");
  const detail = el("div", { class: "detail", "aria-live": "polite" });
  const show = (k) => {
    const reason = reasons[k];
    const charts = reason.scores.map((score) => histogram("score", score.of, { kept: score.values }, {
      note: `dropped where ${score.is} ${digits(score.limit)}`, limit: score.limit, kind: "lost", verb: "dropped", show: (n) => (Math.abs(n) >= 1000 ? short(n) : digits(n)),
    }));
    detail.replaceChildren(
      el("div", {}, el("h3", {}, reason.reason), el("p", { class: "sub" }, `${count(reason.documents)} documents, ${bytes(reason.bytes)}, dropped by ${reason.step}`)),
      ...charts.filter(Boolean),
      reason.samples.length ? el("div", { class: "samples" }, reason.samples.slice(0, 6).map(sample)) : nothing("There is no text to show: these records gave no document."),
    );
  };
  const rows = reasons.map((reason) => ({
    label: reason.reason, small: reason.step, note: `${count(reason.documents)} · ${bytes(reason.bytes)}`,
    segments: [{ value: reason.documents, colour: "var(--lost)", tip: `${reason.step}: ${reason.reason}\n${count(reason.documents)} documents` }],
  }));
  const most = Math.max(...reasons.map((reason) => reason.documents));
  show(0);
  return [
    lead("Each dropped document has one reason: the first rule that it broke. Choose one to see the scores that decided, beside their limit, and some of the documents."),
    el("div", { class: "two" }, el("div", { class: "scroll" }, figure("reasons", null, null, barList(rows, { most, press: show }))), detail),
  ];
}

function value(cell) {
  return typeof cell === "number" ? digits(cell) : String(cell);
}

function sample(one) {
  const by = one.by ? (typeof one.by === "string" ? one.by : `${one.by.of} ${digits(one.by.value)} ${one.by.is} ${digits(one.by.limit)}`) : null;
  const cells = Object.entries(one.columns || {}).filter(([, cell]) => String(cell).length <= 60).map(([name, cell]) => `${name} = ${value(cell)}`);
  return el("article", { class: "sample" },
    by && el("div", { class: "by" }, by),
    el("div", { class: "id" }, one.id),
    one.url && el("div", { class: "cells" }, one.url),
    cells.length > 0 && el("div", { class: "cells" }, cells.join(" · ")),
    el("pre", { tabindex: 0 }, one.text + (one.cut ? " …" : "")));
}

function setsSection() {
  if (facts.sets.length === 0) return nothing("No result of this program has a ledger yet.");
  const body = el("div", {});
  const show = (k) => {
    const set = facts.sets[k];
    const numeric = set.numbers.map((chart) => histogram("column", chart.name, chart, { note: `mean ${digits(chart.kept.mean)}, median ${digits(chart.kept.quantiles[1])}`, show: (n) => (Math.abs(n) >= 1000 ? short(n) : digits(n)) }));
    const texts = set.texts.map((column) => {
      const rows = column.counts.slice(0, 16).map(([name, kept, lost]) => ({
        label: name === "" ? "(empty)" : name, note: count(kept) + (lost ? ` − ${count(lost)}` : ""),
        segments: [{ value: kept, colour: "var(--kept)", tip: `${name}: ${count(kept)} kept` }, { value: lost, colour: "var(--lost)", hatched: true, tip: `${name}: ${count(lost)} dropped` }],
      }));
      const hidden = column.counts.length - rows.length + column.others[0];
      return figure("texts", column.name, hidden > 0 ? `and ${count(hidden)} more` : null, barList(rows), numbers([column.name, "kept", "dropped"], column.counts));
    });
    const tokens = set.tokens ? `, ${count(set.tokens)} tokens` : "";
    body.replaceChildren(
      el("p", { class: "sub" }, `${count(set.documents)} documents, ${bytes(set.bytes)} of text${tokens}; median ${bytes(set.lengths.kept.quantiles[1])} a document. Below the line: what the last steps before it dropped.`),
      el("div", { class: "grid" },
        histogram("lengths", "Length of documents", set.lengths, { show: bytes, note: `mean ${bytes(set.lengths.kept.mean)}` }) || nothing("It is empty."),
        texts, numeric.filter(Boolean)),
      set.samples.length ? el("div", {}, el("h3", { style: { marginTop: "1.4rem" } }, "Some of its documents"), el("div", { class: "samples" }, set.samples.map(sample))) : null,
    );
  };
  show(0);
  return [
    el("div", { class: "bar-head" }, lead("Data at the end of each branch: lengths, languages, scores, and documents chosen by a hash of their ids."),
      facts.sets.length > 1 ? choice("Data", facts.sets.map((set, k) => [k, set.name]), 0, show) : null),
    legend([["kept", "var(--kept)"], ["dropped", "var(--lost)", true]]), body,
  ];
}

function duplicatesSection() {
  const steps = facts.clusters;
  if (steps.length === 0) return nothing("No step of this program looks for duplicates of whole documents.");
  return [
    lead("Groups of documents that are copies, or nearly copies, of each other. One of each group stays."),
    steps.map((one) => {
      const rows = one.sizes.map(([size, groups]) => ({
        label: size, note: count(groups), segments: [{ value: groups, colour: "var(--s3)", tip: `${count(groups)} groups of ${size} documents` }],
      }));
      const largest = one.largest.map((group) => [group.documents, el("td", {}, el("span", { class: "id" }, group.kept)), el("td", {}, el("span", { class: "id" }, group.others.slice(0, 4).join(", ") + (group.documents > 5 ? " …" : "")))]);
      return el("div", { style: { marginBottom: "1.2rem" } },
        figure("clusters", one.step, `${count(one.groups)} groups, ${count(one.dropped)} documents dropped`, one.groups ? barList(rows) : nothing("It found no duplicates.")),
        one.groups > 0 && el("details", { open: one.groups <= 12 }, el("summary", {}, "Largest groups"), grid(["documents", "stays", "dropped"], largest)));
    }),
  ];
}

function contaminationSection() {
  if (facts.hits.length === 0) return nothing("No step of this program compares its data with evaluation sets. `decontaminate` does.");
  return [
    lead("Documents that overlap with evaluation sets."),
    facts.hits.map((one) => {
      const rows = one.sets.map(([name, documents, examples]) => ({
        label: name, note: `${count(documents)} documents, ${count(examples)} examples`, segments: [{ value: documents, colour: "var(--s5)", tip: `${name}: ${count(documents)} documents` }],
      }));
      const some = one.first.map((hit) => [el("td", {}, el("span", { class: "id" }, hit.document)), el("td", {}, el("span", { class: "id" }, hit.example)), hit.size, hit.overlap, hit.dropped ? "dropped" : "kept"]);
      return el("div", { style: { marginBottom: "1.2rem" } },
        figure("contamination", one.step, `${count(one.hits)} overlaps`, one.hits ? barList(rows) : nothing("It found no overlap.")),
        one.hits > 0 && el("details", { open: true }, el("summary", {}, "The first of them"), grid(["document", "example", "words", "overlap", ""], some)));
    }),
  ];
}

function mixtureSection() {
  if (facts.stages.length === 0) return nothing("No stage has trained on this data yet.");
  return facts.stages.map((stage) => {
    const most = Math.max(...stage.parts.map((part) => Math.max(part.planned, part.drawn)));
    const rows = stage.parts.flatMap((part, k) => [
      { label: part.name, small: "planned", note: `${(100 * part.planned).toFixed(1)}%`, segments: [{ value: part.planned, colour: colour(k), hatched: true, tip: `planned ${(100 * part.planned).toFixed(2)}%` }] },
      { label: "", small: "drawn", note: `${(100 * part.drawn).toFixed(1)}%`, segments: [{ value: part.drawn, colour: colour(k), tip: `drawn ${(100 * part.drawn).toFixed(2)}%: ${count(part.tokens)} tokens` }] },
    ]);
    const table = stage.parts.map((part) => [part.name, right(`${(100 * part.planned).toFixed(2)}%`), right(`${(100 * part.drawn).toFixed(2)}%`), part.tokens, part.available, right(part.passes.toFixed(2))]);
    return el("div", { style: { marginBottom: "1.2rem" } }, figure("mixture", stage.name, `${count(stage.tokens)} tokens`, barList(rows, { most })),
      grid(["part", "planned", "drawn", "tokens drawn", "tokens there", "passes"], table));
  });
}

function estimatesSection() {
  const known = facts.estimates.filter((one) => one.planned || one.measured);
  if (known.length === 0) return nothing("The plan knows no amounts: state the `size` of sources, or run `llmp lock`.");
  const most = Math.max(1, ...known.map((one) => Math.max(one.planned ? one.planned[1] : 0, one.measured || 0)));
  const at = (n) => `${(100 * n) / most}%`;
  const rows = known.map((one) => el("div", { class: "row" },
    el("span", { class: "label" }, one.item),
    el("span", { class: "range" },
      one.planned && el("span", { class: "span mark", "data-value": one.planned[1], style: { left: at(one.planned[0]), width: at(one.planned[1] - one.planned[0]) }, tip: `planned ${short(one.planned[0])} to ${short(one.planned[1])} tokens` }),
      one.measured !== null && el("span", { class: "dot mark", "data-value": one.measured, style: { left: at(one.measured) }, tip: `measured ${count(one.measured)} tokens` })),
    el("span", { class: "n" }, one.measured !== null ? short(one.measured) : "–")));
  const table = known.map((one) => [one.item, right(one.planned ? short(one.planned[0]) : "–"), right(one.planned ? short(one.planned[1]) : "–"), right(one.measured !== null ? count(one.measured) : "–")]);
  return [
    lead("Tokens that the plan expected, from sizes that sources state or the lock has measured, and tokens that the tokenizer counted."),
    figure("estimates", null, null, el("div", { class: "bars" }, rows), numbers(["item", "at least", "at most", "measured"], table)),
  ];
}

function stack(name, title, entries) {
  const total = entries.reduce((sum, one) => sum + one[1], 0);
  if (!total) return null;
  const parts = entries.map(([label, value, hue], k) => [label, value, hue || colour(k)]).filter(([, value]) => value > 0);
  return figure(name, title, null,
    el("div", { class: "track", role: "img", "aria-label": parts.map(([label, value]) => `${label} ${percent(value, total)}`).join(", ") },
      parts.map(([label, value, hue]) => el("span", { class: "mark", "data-value": value, style: { width: `${(100 * value) / total}%`, background: hue }, tip: `${label}: ${bytes(value)}, ${percent(value, total)}` }))),
    el("div", { style: { marginTop: "0.45rem" } }, legend(parts.map(([label, value, hue]) => [`${label} ${percent(value, total)}`, hue]))));
}

function cardSection() {
  const by = (key) => {
    const sums = new Map();
    for (const source of facts.sources) sums.set(key(source), (sums.get(key(source)) || 0) + source.bytes_kept);
    return [...sums];
  };
  const licenses = by((source) => source.license || "not stated");
  const origin = by((source) => (source.generation ? `written by models (generation ${source.generation})` : "written by people, or not stated"));
  const rows = facts.sources.map((source) => [
    source.name, el("td", {}, source.reader, el("br"), el("span", { class: "id" }, source.path)),
    el("td", {}, source.license ? el("span", { class: "pill" }, source.license) : el("span", { class: "pill bad" }, "not stated")),
    source.robots || "–", source.opt_out || "–",
    source.generation ? `model ${source.written_by || ""}, generation ${source.generation}` : "–",
    source.files, source.documents, source.kept, right(bytes(source.bytes_kept)), right(source.tokens_kept !== null ? "≈ " + short(source.tokens_kept) : "–"),
  ]);
  return [
    lead("What every source states of itself in the program, and what is left of it at the ends."),
    el("div", { class: "grid" }, stack("licenses", "Licenses, by bytes kept", licenses), stack("synthetic", "Who wrote it, by bytes kept", origin.map(([label, n]) => [label, n, label.startsWith("written by models") ? "var(--s4)" : "var(--s1)"]))),
    figure("card", null, null, grid(["source", "read from", "license", "robots.txt", "opt-out", "synthetic", "files", "documents", "left", "bytes left", "tokens left"], rows)),
  ];
}

function badSection() {
  if (facts.bad.count === 0) return nothing("Every record could be read.");
  return [
    lead(`${count(facts.bad.count)} records could not be read. They were counted and left out${facts.bad.count > facts.bad.first.length ? "; these are the first" : ""}.`),
    figure("bad", null, null, el("ul", { class: "scroll" }, facts.bad.first.map((words) => el("li", { class: "id mark", "data-value": 1 }, words)))),
  ];
}
