"""Makes gopher.json: what datatrove's Gopher filters say about texts made from the files in examples/.

    pip install datatrove==0.10.1 numpy regex
    python make_gopher.py ../../../../examples > gopher.json

datatrove cuts words with a tokenizer for the language; here it gets one that cuts at whitespace, as llmp does.
A text is named by where it comes from and what was done to it, and is not stored:

    {"file": "books/moby-dick-001.txt", "line": 3, "from": 0, "to": 800, "edit": "shout", "quality": …, "repetition": …}

`line` counts the lines of a .jsonl.gz from 0; `from` and `to` count characters; a verdict is "" for a document that
is kept, else the reason. The edits are below and once more in language_and_gopher.rs.
"""

import gzip
import json
import pathlib
import sys
import zlib

from datatrove.data import Document
from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter
from datatrove.utils.word_tokenizers import WordTokenizer


class Whitespace(WordTokenizer):
    def word_tokenize(self, text):
        return text.split()

    def sent_tokenize(self, text):
        raise NotImplementedError

    def span_tokenize(self, text):
        raise NotImplementedError


def every(text, n):
    """Says n words again after every 5 n words."""
    words = text.split(" ")
    return " ".join(" ".join(words[i : i + 5 * n] + words[i : i + n]) for i in range(0, len(words), 5 * n))


EDITS = {
    "plain": lambda t: t,
    "hashes": lambda t: t.replace(" ", " #", len(t) // 40),
    "dots": lambda t: t.replace(" ", "... ", len(t) // 40),
    "bullets": lambda t: "\n".join("  - " + line for line in t.split("\n")),
    "open": lambda t: "\n".join(line + "\u2026 " for line in t.split("\n")),
    "digits": lambda t: " ".join(w if i % 3 else "4567" for i, w in enumerate(t.split(" "))),
    "letters": lambda t: " ".join(w[:2] for w in t.split(" ")),
    "glue": lambda t: t.replace(" ", "", len(t) // 9),
    "shout": lambda t: t.upper(),
    "twice": lambda t: t + "\n\n" + t,
    "lines": lambda t: t + "\n" + "\n".join(t.split("\n")[:6] * 3),
    "short_lines": lambda t: t + "\n" + "yes\n" * (t.count("\n") + 5),
    "short_paragraphs": lambda t: t + "\n\nyes" * (t.count("\n\n") + 5),
    "refrain": lambda t: t.replace(" the ", " the very same old thing of the sea is the "),
    "echo": lambda t: t.replace("\n", " ") + " " + t.replace("\n", " ")[: len(t) // 4],
    "again": lambda t: t.replace(". ", ". It is what it was, and so it goes on and on. "),
    "and_and": lambda t: t.replace(" a ", " and so and so and so "),
    "three": lambda t: t.replace(" and ", " one more time "),
    "seven": lambda t: every(t, 7),
    "eight": lambda t: every(t, 8),
    "nine": lambda t: every(t, 9),
    "ten": lambda t: every(t, 10),
    "four": lambda t: t.replace(" and ", " at the same time "),
    "long": lambda t: (t + " ") * 100_001 if t in ("CHA", "To ") else t,
}




def texts(folder):
    for path in sorted(folder.glob("books/*.txt"))[::9]:
        yield {"file": f"books/{path.name}"}, path.read_bytes().decode()
    for path in sorted(folder.glob("data/*.jsonl.gz")):
        for number, line in enumerate(gzip.open(path, "rt")):
            if number % 11 == 0:
                yield {"file": f"data/{path.name}", "line": number}, json.loads(line)["text"]


def main():
    folder = pathlib.Path(sys.argv[1])
    quality = GopherQualityFilter(language=Whitespace())
    repetition = GopherRepetitionFilter(language=Whitespace())

    def verdict(step, text):
        answer = step.filter(Document(text=text, id="0"))
        return "" if answer is True else answer[1]

    lines, windows = [], 0
    for key, whole in texts(folder):
        # Windows of several sizes, each with every fourth edit, so that thresholds are met from both sides.
        for start, size in [(0, 3), (0, 150), (0, 900), (300, 2500), (1000, 700)]:
            part = whole[start : start + size]
            windows += 1
            for name in list(EDITS)[windows % 4 :: 4]:
                text = EDITS[name](part)
                if not text.strip():
                    continue
                entry = key | {"from": start, "to": start + size, "edit": name}
                entry["crc32"] = zlib.crc32(text.encode())
                lines.append(json.dumps(entry | {"quality": verdict(quality, text), "repetition": verdict(repetition, text)}))
    print("[\n" + ",\n".join(lines) + "\n]")


if __name__ == "__main__":
    main()
