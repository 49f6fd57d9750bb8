/* The page: head, sections, navigation, theme. */

function head() {
  const read = facts.sources.reduce((sum, source) => sum + source.documents, 0);
  const kept = facts.sets.reduce((sum, set) => sum + set.documents, 0);
  const size = facts.sets.reduce((sum, set) => sum + set.bytes, 0);
  const tokens = facts.sets.reduce((sum, set) => sum + (set.tokens || 0), 0);
  const edited = facts.funnel.reduce((sum, row) => sum + (row.edited || 0), 0);
  const tile = (number, words, main) => el("div", { class: main ? "tile main" : "tile" }, el("b", {}, number), el("span", {}, words));
  return el("header", { class: "top" },
    el("div", { class: "bar-head" },
      el("div", {}, el("h1", {}, facts.item ? `${facts.item} of ${facts.program}` : facts.program),
        el("p", { class: "sub" }, "What became of the data, document by document")),
      theme()),
    el("div", { class: "tiles" },
      tile(count(read), `documents read from ${facts.sources.length} ${facts.sources.length === 1 ? "source" : "sources"}`),
      tile(count(kept), `documents left, ${percent(kept, read)}`, true),
      tile(bytes(size), "of text left"),
      tokens > 0 && tile(short(tokens), "tokens"),
      tile(count(facts.reasons.reduce((sum, reason) => sum + reason.documents, 0)), `records dropped, for ${facts.reasons.length} reasons`),
      edited > 0 && tile(count(edited), "edits of documents that stayed"),
      facts.bad.count > 0 && tile(count(facts.bad.count), "records that cannot be read")),
    facts.stale.length > 0 && el("p", { class: "notice" }, `The program or its inputs changed since these ran: ${facts.stale.join(", ")}. The page shows the run before; run again to renew it.`),
    facts.missing.length > 0 && el("p", { class: "notice" }, `Not run yet: ${facts.missing.join(", ")}.`));
}

function theme() {
  const root = document.documentElement;
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const button = el("button", { type: "button", class: "theme", on: { click: () => { root.dataset.theme = dark() ? "light" : "dark"; name(); } } });
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
  name();
  return button;
}

const SECTIONS = [
  ["funnel", "Funnel", funnelSection],
  ["sources", "By source", sourcesSection],
  ["reasons", "Why documents were dropped", reasonsSection],
  ["data", "What is left", setsSection],
  ["duplicates", "Duplicates", duplicatesSection],
  ["contamination", "Contamination", contaminationSection],
  ["mixture", "Mixtures", mixtureSection],
  ["estimates", "Plan and run", estimatesSection],
  ["card", "Data card", cardSection],
  ["unreadable", "Unreadable records", badSection],
];

function draw() {
  const main = document.getElementById("main");
  const links = [...main.querySelectorAll("section")].map(({ id, dataset }) => [id, el("a", { href: `#${id}` }, dataset.title)]);
  main.prepend(head());
  for (const [id, title, content] of SECTIONS) {
    let body;
    try {
      body = content();
    } catch (error) {
      body = nothing(`This part cannot be drawn: ${error.message}`);
      document.body.dataset.failed = `${document.body.dataset.failed || ""} ${id}: ${error.message}`;
    }
    main.append(el("section", { id, "aria-labelledby": `${id}-title` }, el("div", { class: "bar-head" }, el("h2", { id: `${id}-title` }, title)), body));
    links.push([id, el("a", { href: `#${id}` }, title)]);
  }
  main.append(el("p", { class: "foot" }, `llmp ${facts.llmp} · plan ${facts.plan.slice(0, 16)} · chosen samples, counts and charts are the same on every run`));
  document.getElementById("nav").append(el("div", { class: "brand" }, "Data report"), el("ul", {}, links.map(([, link]) => el("li", {}, link))));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const link = links.find(([id]) => id === entry.target.id)[1];
      if (entry.isIntersecting) { for (const [, other] of links) other.removeAttribute("aria-current"); link.setAttribute("aria-current", "true"); }
    }
  }, { rootMargin: "-10% 0px -75% 0px" });
  for (const section of main.querySelectorAll("section")) seen.observe(section);
  document.body.dataset.drawn = String(document.querySelectorAll("figure[data-chart]").length);
}

draw();
