// The playground in a real browser: what a person does on the page. With SHOT it also keeps a picture of it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import puppeteer from "puppeteer-core";

const PROGRAM = `llmp 1

source books = text("books/*.txt")

dataset clean = books
  |> detect_language()
  |> keep_if(.lang == "en")
  |> dedup_minhash()
  |> split(heldout = 2%)

tokenizer tok = bpe(train_on = clean, vocab = 4096)

model tiny {
  tokenizer = tok
  layers    = 4
  width     = 192
  heads     = 6
  kv_heads  = 2
  context   = 256
}

pretrain core {
  model  = tiny
  data   = clean
  tokens = 4M
}

eval quality { model = core, suites = [bits_per_byte(clean.heldout)] }
release stories { model = core }
`;

let server;
let browser;
let page;
let address;
const elsewhere = [];
const complaints = [];

before(async () => {
  const file = join(mkdtempSync(join(tmpdir(), "llmp-")), "main.llmp");
  writeFileSync(file, PROGRAM);
  server = spawn(process.env.LLMP, ["serve", file, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  address = await new Promise((resolve, reject) => {
    createInterface({ input: server.stdout }).once("line", resolve);
    server.once("exit", () => reject(new Error("the server has ended")));
  });
  browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"],
    defaultViewport: { width: 1320, height: 760 },
  });
  page = await browser.newPage();
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (!["data:", "blob:"].includes(protocol) && host !== new URL(address).host) elsewhere.push(request.url());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(address);
});

after(async () => {
  await browser?.close();
  server?.kill("SIGINT");
});

/// Waits until a question about the page is answered with yes; says what the page shows if it never is.
async function until(what, question, ...args) {
  await page.waitForFunction(question, { timeout: 10_000 }, ...args).catch(async (error) => {
    const shown = await page.evaluate(() => document.body.innerText);
    throw new Error(`${what}: ${error.message}\n${shown}`);
  });
}

const state = (words) =>
  until(words, (wanted) => document.querySelector("#state").textContent === wanted, words);
const text = () =>
  page.$$eval(".cm-line", (lines) =>
    lines.map((line) => {
      const copy = line.cloneNode(true);
      copy.querySelectorAll(".hint").forEach((hint) => hint.remove());
      return copy.textContent;
    }).join("\n"),
  );

/// Where a word is on the screen: its left edge, its middle, its right edge.
const place = (line, word) =>
  page.evaluate(
    (line, word) => {
      const found = [...document.querySelectorAll(".cm-line")].find((one) => one.textContent.includes(line));
      const walker = document.createTreeWalker(found, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const at = walker.currentNode.data.indexOf(word);
        if (at < 0) continue;
        const range = document.createRange();
        range.setStart(walker.currentNode, at);
        range.setEnd(walker.currentNode, at + word.length);
        const box = range.getBoundingClientRect();
        return { x: box.left + box.width / 2, y: box.top + box.height / 2, right: box.right };
      }
      return null;
    },
    line,
    word,
  );

/// Puts the cursor behind a word, as a person does: near its right edge.
async function behind(line, word) {
  const at = await place(line, word);
  await page.mouse.click(at.right - 1, at.y);
}

async function hover(line, word) {
  await page.mouse.move(5, 5);
  const at = await place(line, word);
  await page.mouse.move(at.x - 1, at.y);
  await page.mouse.move(at.x, at.y);
}

test("the page opens with the file, its plan and what it costs", async () => {
  await state("0 errors, 0 warnings");
  assert.equal(await text(), PROGRAM);
  await until("a drawing", () => document.querySelector("#graph").shadowRoot?.querySelectorAll("svg g").length >= 7);
  const rows = await page.$$eval("#models tr, #stages tr", (all) => all.map((row) => row.textContent));
  assert.ok(rows.some((row) => /^tiny3\.15M/.test(row)), rows.join("\n"));
  assert.ok(rows.some((row) => /^core4\.00M/.test(row) && row.includes("MiB")), rows.join("\n"));
  await until("hints", () => [...document.querySelectorAll(".hint")].some((hint) => hint.textContent.includes("parameters")));
  assert.ok((await page.$$(".tok-keyword")).length > 5, "no colours");
});

test("hover shows computed values", async () => {
  await hover("model tiny", "tiny");
  await until("a hover", () => document.querySelector(".cm-lsp-hover-tooltip")?.textContent.includes("parameters"));
});

test("a typo is underlined, and its fix leaves a clean program", async () => {
  await behind("layers", "layers");
  await page.keyboard.press("Backspace");
  await page.keyboard.press("Backspace");
  await page.keyboard.press("Backspace");
  await page.keyboard.type("rs");
  await page.keyboard.press("Escape");
  await state("1 error, 0 warnings");
  assert.equal(await page.$eval(".cm-lintRange-error", (mark) => mark.textContent), "layrs");
  await until("the old drawing is grey", () => document.querySelector("aside").dataset.old !== undefined);
  await hover("layrs", "layrs");
  await page.waitForSelector(".cm-tooltip-lint .cm-diagnosticAction", { timeout: 10_000 });
  if (process.env.SHOT) {
    await page.screenshot({ path: process.env.SHOT, optimizeForSpeed: false });
  }
  await page.click(".cm-tooltip-lint .cm-diagnosticAction");
  await state("0 errors, 0 warnings");
  assert.equal(await text(), PROGRAM);
});

test("completion offers columns, and what is chosen is written", async () => {
  await behind("keep_if", "keep_if");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.type(".lang_s");
  await until("proposals", () => document.querySelector(".cm-tooltip-autocomplete")?.textContent.includes("lang_score"));
  await new Promise((resolve) => setTimeout(resolve, 200));
  await page.keyboard.press("Enter");
  await page.keyboard.type(" > 0.5 and ");
  await state("0 errors, 0 warnings");
  assert.ok((await text()).includes('keep_if(.lang_score > 0.5 and .lang == "en")'), await text());
});

test("the actions at a selection take a value out under a name", async () => {
  const at = await place("width", "192");
  await page.mouse.click(at.x, at.y, { clickCount: 2 });
  await page.click("#actions");
  await page.waitForSelector("#menu button");
  const titles = await page.$$eval("#menu button", (all) => all.map((one) => one.textContent));
  const wanted = titles.indexOf("Extract into a `param`");
  assert.ok(wanted >= 0, titles.join(", "));
  await (await page.$$("#menu button"))[wanted].click();
  await state("0 errors, 0 warnings");
  assert.ok((await text()).includes("param setting: Int = 192"), await text());
});

test("the layout is put right", async () => {
  await behind("  heads", "heads");
  await page.keyboard.type("    ");
  await page.click("#format");
  await until("the layout", () => [...document.querySelectorAll(".cm-line")].some((line) => line.textContent === "  heads     = 6"));
});

test("a rename reaches every use", async () => {
  await behind("model tiny", "tiny");
  await page.keyboard.press("F2");
  await page.waitForSelector(".cm-lsp-rename-panel input");
  await page.$eval(".cm-lsp-rename-panel input", (input) => input.select());
  await page.keyboard.type("small");
  await page.keyboard.press("Enter");
  await until("the new name", () => document.querySelector(".cm-content").textContent.includes("model  = small"));
  await state("0 errors, 0 warnings");
});

test("nothing was loaded from elsewhere and nothing went wrong", () => {
  assert.deepEqual(elsewhere, []);
  assert.deepEqual(complaints, []);
});
