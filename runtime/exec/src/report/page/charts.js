/* Charts. Every figure names itself in `data-chart`, every mark holds its number in `data-value`. */

function figure(name, title, note, ...content) {
  return el("figure", { "data-chart": name, "aria-label": title },
    title ? el("figcaption", {}, title, note ? el("small", {}, note) : null) : null, content);
}

/* Ticks of an axis: round numbers, or powers of ten. */
function ticks(low, high, powers) {
  if (powers) {
    const found = [];
    for (let power = Math.ceil(Math.log10(low)); power <= Math.floor(Math.log10(high) + 1e-9); power += 1) found.push(10 ** power);
    if (found.length < 2) return [low, high];
    const every = Math.ceil(found.length / 6);
    return found.filter((_, k) => k % every === 0);
  }
  const span = high - low || 1;
  const rough = span / 5;
  const base = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * base).find((n) => n >= rough);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step) found.push(Math.abs(at) < step * 1e-6 ? 0 : at);
  return found;
}

/* Kept documents upwards, lost ones downwards. */
function histogram(name, title, chart, options) {
  const { show = short, note = null, limit = null, unit = "documents" } = options || {};
  const bars = chart.kept.bars;
  if (bars.length === 0) return null;
  const lost = chart.lost || [];
  const width = 600, height = lost.some((n) => n > 0) ? 230 : 180, left = 44, edge = 8, top = 14, bottom = 26;
  const up = Math.max(0, ...bars.map((bar) => bar.count));
  const down = Math.max(0, ...lost);
  const inner = height - top - bottom;
  const scale = up + down > 0 ? inner / (up + down) : 0;
  const zero = top + up * scale;
  let [low, high] = [bars[0].low, bars[bars.length - 1].high];
  if (limit !== null && !chart.kept.powers) { low = Math.min(low, limit); high = Math.max(high, limit); }
  const place = chart.kept.powers && low > 0 ? Math.log : (x) => x;
  const [from, to] = [place(low), place(high)];
  const x = (value) => left + ((place(Math.max(value, low)) - from) / (to - from || 1)) * (width - left - edge);
  const drawing = el("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  for (const tick of ticks(low, high, chart.kept.powers && low > 0)) {
    if (x(tick) > width - edge + 1) continue;
    drawing.append(el("line", { x1: x(tick), x2: x(tick), y1: top, y2: height - bottom, class: "axis" }),
      el("text", { x: x(tick), y: height - 9, "text-anchor": "middle" }, show(tick)));
  }
  const label = (y, n) => el("text", { x: left - 7, y: y + 4, "text-anchor": "end" }, short(n));
  if (up > 0) drawing.append(label(top, up));
  if (down > 0) drawing.append(label(height - bottom, down));
  bars.forEach((bar, k) => {
    const [x1, x2] = bars.length === 1 && bar.low === bar.high
      ? [(left + width - edge) / 2 - 12, (left + width - edge) / 2 + 12] : [x(bar.low), x(bar.high)];
    const range = bar.low === bar.high ? show(bar.low) : `${show(bar.low)} to ${show(bar.high)}`;
    const rect = (kind, n, y) => n > 0 && drawing.append(el("rect", {
      class: `mark ${kind}`, "data-value": n, x: x1 + 0.5, width: Math.max(1, x2 - x1 - 1), y, height: Math.max(1, n * scale),
      tip: `${range}\n${count(n)} ${unit} ${options && options.verb ? options.verb : kind}`,
    }));
    rect(options && options.kind ? options.kind : "kept", bar.count, zero - Math.max(1, bar.count * scale));
    rect("lost", lost[k] || 0, zero);
  });
  drawing.append(el("line", { x1: left, x2: width - edge, y1: zero, y2: zero, class: "zero" }));
  if (limit !== null) {
    const at = x(limit), after = at > width * 0.7;
    drawing.append(el("line", { x1: at, x2: at, y1: 2, y2: height - bottom, class: "limit" }),
      el("text", { x: at + (after ? -5 : 5), y: 11, "text-anchor": after ? "end" : "start", class: "limit-label" }, `limit ${show(limit)}`));
  } else if (chart.kept.count > 20) {
    chart.kept.quantiles.forEach((q, k) => drawing.append(el("line", {
      x1: x(q), x2: x(q), y1: top, y2: zero, class: "quant", "stroke-width": k === 1 ? 2 : 1, tip: `${[10, 50, 90][k]}% lie below ${show(q)}`,
    })));
  }
  const rows = bars.map((bar, k) => [right(show(bar.low)), right(show(bar.high)), bar.count, lost[k] || 0]);
  const head = ["from", "to", options && options.kind === "lost" ? "dropped" : "kept", "dropped"];
  const only = lost.length === 0;
  return figure(name, title, note, drawing, numbers(only ? head.slice(0, 3) : head, only ? rows.map((row) => row.slice(0, 3)) : rows));
}

/* Horizontal bars. A row: label, small, segments [{value, colour, tip, hatched}], note; pressed rows are buttons. */
function barList(rows, options) {
  const { most = Math.max(1, ...rows.map((row) => row.segments.reduce((sum, one) => sum + one.value, 0))), press = null } = options || {};
  const drawn = rows.map((row, k) => {
    const track = el("span", { class: "track thin" }, row.segments.filter((one) => one.value > 0).map((one) => el("span", {
      class: one.hatched ? "mark hatch" : "mark", "data-value": one.value, tip: one.tip || `${row.label}: ${count(one.value)}`,
      style: { width: `${(100 * one.value) / most}%`, background: one.colour },
    })));
    const content = [el("span", { class: "label" }, row.label, row.small ? el("small", {}, row.small) : null), track, el("span", { class: "n" }, row.note)];
    if (!press) return el("div", { class: "row" }, content);
    return el("button", {
      type: "button", class: "row", "aria-pressed": String(k === 0),
      on: {
        click: (event) => {
          for (const other of drawn) other.setAttribute("aria-pressed", String(other === event.currentTarget));
          press(k);
        },
      },
    }, content);
  });
  return el("div", { class: "bars" }, drawn);
}

/* The funnel: one row for each step, kept documents by source, lost ones hatched. */
function funnel(unit) {
  const measure = UNITS[unit];
  const most = Math.max(1, ...facts.funnel.map((row) => Math.max(...measure.of(row))));
  const rows = facts.funnel.map((row, k) => {
    const [before, after] = measure.of(row);
    const first = k > 0 && !row.from.includes(facts.funnel[k - 1].step);
    const parts = Object.keys(row.sources).length ? row.sources : { "": row };
    const segments = Object.entries(parts).map(([name, flow]) => {
      const value = measure.of(flow)[1];
      return value > 0 && el("span", {
        class: "mark", "data-value": value, style: { width: `${(100 * value) / most}%`, background: name ? sourceColour(name) : "var(--kept)" },
        tip: `${row.step}\n${name || "all"}: ${measure.show(value)} ${unit} went on (${percent(value, measure.of(flow)[0])})`,
      });
    });
    const gone = Math.max(0, before - after);
    const why = Object.entries(row.reasons || {}).sort((a, b) => b[1] - a[1]).map(([reason, n]) => `${reason} ${count(n)}`);
    const lost = gone > 0 && el("span", {
      class: "mark hatch", "data-value": gone, style: { width: `${(100 * gone) / most}%`, background: "var(--lost)", opacity: 0.75 },
      tip: `${row.step}\n${measure.show(gone)} ${unit} less${why.length ? "\n" + why.slice(0, 8).join("\n") : ""}`,
    });
    const tokens = row.tokens_out ? ` · ${row.op === "tokenize" ? "" : "≈ "}${short(row.tokens_out)} tokens` : "";
    const repaired = row.edited ? `, ${count(row.edited)} edited` : "";
    return el("div", { class: first ? "step first" : "step" },
      el("div", { class: "name" }, row.step, el("small", {}, row.op, row.stale ? " · earlier run" : "")),
      el("div", { class: "track", role: "img", "aria-label": `${row.step}: ${measure.show(before)} in, ${measure.show(after)} out` }, segments, lost),
      el("div", { class: "out" }, el("span", {}, measure.show(after), el("small", { style: { display: "inline" } }, ` of ${measure.show(before)}`)),
        el("small", {}, `${percent(after, before)}${repaired}${tokens}`)));
  });
  return figure("funnel", null, null, el("div", { class: "steps" }, rows));
}
