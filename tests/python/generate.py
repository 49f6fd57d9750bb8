#!/usr/bin/env python3
"""Documents made of real sentences, with a fixed rate of near-duplicates, as JSON Lines.

    python3 tests/python/generate.py --data DATA --megabytes 200 --duplicates 20 --out FILE.jsonl

DATA is the folder of real data (prose/*.jsonl.gz and prose/books/*.txt are read). Every document is a new draw of 5 to 60
sentences; one in `100 / duplicates` is a copy of one of the last 10,000 with a sentence in ten replaced. Its id names the
document that it copies (`dup-7-of-3`), so that a tool's result can be counted. The same arguments give the same bytes.
"""
import argparse
import glob
import gzip
import json
import random
import re
from pathlib import Path


def sentences(data):
    """Distinct sentences of 40 to 400 characters."""
    texts = []
    for path in sorted(glob.glob(f"{data}/prose/*.jsonl.gz")):
        with gzip.open(path, "rt") as lines:
            texts += [json.loads(line).get("text", "") for line in lines]
    texts += [Path(path).read_text() for path in sorted(glob.glob(f"{data}/prose/books/*.txt"))]
    found = {}
    for text in texts:
        for sentence in re.split(r"(?<=[.!?])\s+", text):
            sentence = " ".join(sentence.split())
            if 40 <= len(sentence) <= 400:
                found[sentence] = None
    return list(found)


def documents(data, megabytes, duplicates, seed=1):
    """Pairs (id, text) of about so many megabytes of text."""
    pool = sentences(data)
    draw = random.Random(seed)
    recent, size, number = [], 0, 0
    while size < megabytes * 1e6:
        if recent and draw.random() * 100 < duplicates:
            of, own = recent[int(draw.random() * len(recent))]
            own = [draw.choice(pool) if draw.random() < 0.1 else sentence for sentence in own]
            name = f"dup-{number}-of-{of}"
        else:
            own = draw.choices(pool, k=5 + int(draw.random() * 56))
            name = f"doc-{number}"
            if len(recent) < 10_000:
                recent.append((number, own))
            else:
                recent[number % 10_000] = (number, own)
        # Paragraphs of five sentences.
        text = "\n".join(" ".join(own[k : k + 5]) for k in range(0, len(own), 5))
        size += len(text.encode())
        number += 1
        yield name, text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--megabytes", type=float, required=True)
    parser.add_argument("--duplicates", type=float, default=20, help="percent of near-duplicates")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    with open(args.out, "w") as out:
        for name, text in documents(args.data, args.megabytes, args.duplicates, args.seed):
            out.write(json.dumps({"id": name, "text": text}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
