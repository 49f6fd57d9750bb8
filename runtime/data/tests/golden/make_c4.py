"""Makes c4.json: what datatrove's C4 and FineWeb filters say about texts made from the files in examples/.

    pip install datatrove==0.10.1 numpy regex
    python make_c4.py ../../../../examples > c4.json

Words and sentences are those of llmp, out of tests/python/llmp_data.py. Texts are named as in gopher.json, with more edits;
`c4` and `c4_any_line_end` are the reason of a drop or, where the text stays, the CRC-32 of what the filter made of it.
"""

import json
import pathlib
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[4] / "tests/python"))

import llmp_data
import make_gopher
from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter
from datatrove.utils.text import TERMINAL_PUNCTUATION


class Splitters(make_gopher.Whitespace):
    def word_tokenize(self, text):
        return llmp_data.words(text)

    def span_tokenize(self, text):
        return [(0, len(text))] * llmp_data.sentences(text, TERMINAL_PUNCTUATION)


EDITS = {
    "plain": lambda t: t,
    "sentences": lambda t: t.replace(". ", ".\n"),
    "cited": lambda t: t.replace(". ", ".[12]\r\n").replace(", ", "[edit], [citation needed]"),
    "lorem": lambda t: t.replace(". ", ".\nA Lorem Ipsum in a line.\n", 1),
    "curly": lambda t: t.replace(". ", ".\nA { in a line.\n", 1),
    "script": lambda t: t.replace(". ", ".\nPlease enable JavaScript {.\n").replace("the", "privacy policy", 1),
    "commas": lambda t: t.replace(".", ","),
    "column": lambda t: t.replace(" ", "\n"),
    "twice": lambda t: t.replace(". ", ".\n") + "\n" + t.replace(". ", ".\n"),
    "again": lambda t: t.replace(". ", ".\n") + "\n" + t.replace(". ", ".\n")[: len(t) // 12],
    "long_word": lambda t: t.replace(" ", "x", 300).replace(". ", ".\n"),
    "danda": lambda t: t.replace(". ", "।\n"),
}


def main():
    folder = pathlib.Path(sys.argv[1])
    splitters = Splitters("llmp")
    c4 = C4QualityFilter(language=splitters)
    any_line_end = C4QualityFilter(language=splitters, filter_no_terminal_punct=False)
    fineweb = FineWebQualityFilter(language=splitters)

    def verdict(step, text):
        doc = Document(text=text, id="0")
        answer = step.filter(doc)
        return (zlib.crc32(doc.text.encode()), "") if answer is True else (answer[1], answer[1])

    lines, windows = [], 0
    for key, whole in make_gopher.texts(folder):
        for start, size in [(0, 150), (0, 900), (300, 2500), (1000, 700)]:
            part = whole[start : start + size]
            windows += 1
            for name in list(EDITS)[windows % 3 :: 3]:
                text = EDITS[name](part)
                if not text.strip():
                    continue
                entry = key | {"from": start, "to": start + size, "edit": name, "crc32": zlib.crc32(text.encode())}
                entry |= {"c4": verdict(c4, text)[0], "c4_any_line_end": verdict(any_line_end, text)[0]}
                lines.append(json.dumps(entry | {"fineweb": verdict(fineweb, text)[1]}))
    print("[\n" + ",\n".join(lines) + "\n]")


if __name__ == "__main__":
    main()
