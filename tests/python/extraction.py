"""Word-level F1 of extracted main text on pages with a known result: llmp, trafilatura and readability-lxml.

    python tests/python/extraction.py --llmp target/release/llmp --gold ../shared/data/web/extraction-gold

Each folder of --gold holds `source.html` (or `.html.gz`) and `expected.html`, as in the test pages of Mozilla's
Readability. Words are runs of letters and digits; F1 is that of the two bags of words.
"""

import argparse
import collections
import gzip
import json
import re
import subprocess
import tempfile
from pathlib import Path

BLOCKS = {
    "address", "article", "aside", "blockquote", "br", "caption", "dd", "div", "dl", "dt", "figcaption", "figure",
    "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre",
    "section", "table", "td", "th", "tr", "ul",
}


def text_of(html):
    """All text of a piece of HTML; blocks are separated, words that hold markup are not."""
    import lxml.html

    parts = []

    def walk(node):
        name = node.tag if isinstance(node.tag, str) else None
        if name in BLOCKS:
            parts.append(" ")
        if name not in (None, "script", "style", "math", "svg", "noscript"):
            parts.append(node.text or "")
            for child in node:
                walk(child)
        if name in BLOCKS:
            parts.append(" ")
        parts.append(node.tail or "")

    walk(lxml.html.fromstring(html))
    return "".join(parts)


def f1(ours, gold):
    ours = collections.Counter(re.findall(r"\w+", ours))
    gold = collections.Counter(re.findall(r"\w+", gold))
    common = sum((ours & gold).values())
    return 2 * common / (sum(ours.values()) + sum(gold.values())) if common else 0.0


def page_of(folder):
    packed = folder / "source.html.gz"
    raw = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / "source.html").read_bytes()
    return raw.decode("utf-8", "replace")


def warc_of(pages):
    out = b""
    for name, page in pages.items():
        block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page.encode()
        head = (
            "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://gold.example/%s\r\n"
            "Content-Type: application/http\r\nContent-Length: %d\r\n\r\n" % (name, len(block))
        )
        out += head.encode() + block + b"\r\n\r\n"
    return out


def with_llmp(llmp, pages):
    """The texts that `extract_text()` gives, through a whole program."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "pages.warc").write_bytes(warc_of(pages))
        (folder / "gold.llmp").write_text(
            'llmp 1\n\nsource pages = warc("pages.warc")\n\ndataset texts = pages |> extract_text()\n\n'
            'export out { data = texts, format = jsonl }\n'
        )
        subprocess.run([llmp, "run", "gold.llmp"], cwd=folder, check=True, capture_output=True)
        texts = {}
        for part in sorted((folder / "export" / "out").glob("*.jsonl")):
            for line in part.read_text().splitlines():
                doc = json.loads(line)
                texts[doc["metadata"]["url"].rsplit("/", 1)[1]] = doc["text"]
        return texts


def main():
    import trafilatura
    from readability import Document

    arguments = argparse.ArgumentParser()
    arguments.add_argument("--llmp", required=True)
    arguments.add_argument("--gold", required=True, type=Path)
    options = arguments.parse_args()
    folders = sorted(f for f in options.gold.iterdir() if (f / "expected.html").exists())
    pages = {folder.name: page_of(folder) for folder in folders}
    ours = with_llmp(str(Path(options.llmp).resolve()), pages)
    print(f"{'page':<14} {'words':>6} {'llmp':>7} {'trafilatura':>12} {'readability':>12}")
    sums = [0.0] * 3
    for folder in folders:
        gold = text_of((folder / "expected.html").read_text())
        page = pages[folder.name]
        scores = [
            f1(ours.get(folder.name, ""), gold),
            f1(trafilatura.extract(page) or "", gold),
            f1(text_of(Document(page).summary()), gold),
        ]
        sums = [total + score for total, score in zip(sums, scores)]
        words = len(re.findall(r"\w+", gold))
        print(f"{folder.name:<14} {words:>6} {scores[0]:>7.4f} {scores[1]:>12.4f} {scores[2]:>12.4f}")
    means = [total / len(folders) for total in sums]
    print(f"{'mean':<14} {'':>6} {means[0]:>7.4f} {means[1]:>12.4f} {means[2]:>12.4f}")
    raise SystemExit(means[0] < means[1])


if __name__ == "__main__":
    main()
