#!/usr/bin/env python3
"""Bits per byte that a model has to beat: `xz -9e` and a byte-level 5-gram model on the same text.

    python3 tests/python/baselines.py --train TRAIN [TRAIN …] --heldout HELDOUT [HELDOUT …] [--format json]

Each argument is a plain text file, a JSON Lines file with a "text" field (.jsonl, .jsonl.gz, .jsonl.zst), or a
folder of `part-*.jsonl*` files as the store writes them. Training text is given to both baselines whole.

Only the standard library is needed; `.zst` files are read with the `zstandard` package or the `zstd` program.

Two figures are printed for xz. "after the training text" is the size of train + held-out minus the size of train:
the compressor has seen the training text just as the model has, so this is the fair one. "alone" compresses the
held-out text by itself. The bar is the lowest of all figures.
"""
import argparse
import gzip
import json
import lzma
import math
import random
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

ORDER = 5
START = "\u0100"  # stands before the first byte of a document; a context, never predicted


def open_text(path):
    """The whole content of a file as bytes, decompressed by its ending."""
    raw = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(raw)
    if path.suffix != ".zst":
        return raw
    try:
        import zstandard
    except ImportError:
        if not shutil.which("zstd"):
            sys.exit(f"{path}: install the Python package `zstandard` or the program `zstd`")
        return subprocess.run(["zstd", "-dc", str(path)], check=True, capture_output=True).stdout
    with zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as stream:
        return stream.read()


def documents(paths):
    """The documents of files and folders, as UTF-8 bytes, in a stable order."""
    found = []
    for path in map(Path, paths):
        parts = sorted(path.glob("part-*.jsonl*")) if path.is_dir() else [path]
        if not parts:
            sys.exit(f"{path}: no part-*.jsonl* file in this folder")
        for part in parts:
            try:
                content = open_text(part)
                if ".jsonl" in part.name:
                    found += [json.loads(line)["text"].encode() for line in content.split(b"\n") if line.strip()]
                else:
                    found.append(content)
            except (OSError, EOFError, ValueError, KeyError) as error:
                sys.exit(f"{part}: {error!r}")
    return found


def xz_bits_per_byte(train, heldout):
    """(after the training text, alone) for `xz -9e`."""

    def size(data):
        return len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))

    first, second = b"".join(train), b"".join(heldout)
    return 8 * (size(first + second) - size(first)) / len(second), 8 * size(second) / len(second)


class KneserNey:
    """Interpolated modified Kneser-Ney over bytes (Chen and Goodman 1999, section 3), down to the uniform 1/256.

    The highest order counts occurrences, each lower one the distinct symbols seen to the left. A byte b after the
    context h has   p(b|h) = (c(hb) - D(c(hb))) / c(h) + gamma(h) * p(b|h without its first symbol).
    """

    def __init__(self, docs, order=ORDER):
        self.order = order
        counts = Counter()
        for doc in docs:
            text = START * (order - 1) + doc.decode("latin-1")
            counts.update(text[i : i + order] for i in range(len(text) - order + 1))
        self.counts, self.totals, self.gammas, self.discounts = {}, {}, {}, {}
        for length in range(order, 0, -1):
            self._add_order(length, counts)
            counts = Counter(gram[1:] for gram in counts)  # distinct symbols to the left of each shorter gram

    def _add_order(self, length, counts):
        discount = self._discounts(counts)
        total, mass = defaultdict(int), defaultdict(float)
        for gram, count in counts.items():
            total[gram[:-1]] += count
            mass[gram[:-1]] += discount[min(count, 3)]
        self.counts[length], self.totals[length], self.discounts[length] = counts, total, discount
        self.gammas[length] = {context: mass[context] / total[context] for context in total}

    @staticmethod
    def _discounts(counts):
        """[0, D1, D2, D3+] from the numbers of grams seen once to four times; 0.5 where those are too few."""
        n = Counter(min(count, 5) for count in counts.values())
        if not all(n[i] for i in (1, 2, 3, 4)):
            return [0.0, 0.5, 0.5, 0.5]
        y = n[1] / (n[1] + 2 * n[2])
        raw = [i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3)]
        return [0.0] + [min(max(value, 0.0), i + 1.0) for i, value in enumerate(raw)]

    def probability(self, context, symbol):
        """p(symbol | the last order - 1 symbols of context)."""
        p = 1 / 256
        for length in range(1, self.order + 1):
            history = context[len(context) - length + 1 :]
            total = self.totals[length].get(history)
            if total is None:
                return p
            count = self.counts[length].get(history + symbol, 0)
            p = (count - self.discounts[length][min(count, 3)]) / total + self.gammas[length][history] * p
        return p

    def bits_per_byte(self, docs):
        bits, size, width = 0.0, 0, self.order - 1
        for doc in docs:
            text = START * width + doc.decode("latin-1")
            bits -= sum(math.log2(self.probability(text[i - width : i], text[i])) for i in range(width, len(text)))
            size += len(doc)
        return bits / size

    def check(self, docs, samples=200):
        """Stops unless the 256 probabilities add up to 1 after contexts taken from `docs` and after unseen ones."""
        rng, text = random.Random(0), START * (self.order - 1) + docs[0].decode("latin-1")
        width = self.order - 1
        contexts = [text[:width]] + [text[i : i + width] for i in rng.choices(range(len(text) - width), k=samples)]
        contexts += ["".join(chr(rng.randrange(256)) for _ in range(width)) for _ in range(samples)]
        for context in contexts:
            total = math.fsum(self.probability(context, chr(byte)) for byte in range(256))
            if abs(total - 1) > 1e-9:
                sys.exit(f"internal error: the probabilities after {context!r} add up to {total}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", nargs="+", required=True, help="files or folders with the training text")
    parser.add_argument("--heldout", nargs="+", required=True, help="files or folders with the held-out text")
    parser.add_argument("--format", choices=["human", "json"], default="human")
    args = parser.parse_args()
    train, heldout = documents(args.train), documents(args.heldout)
    if not any(train) or not any(heldout):
        sys.exit("both --train and --heldout need text")

    model = KneserNey(train)
    model.check(heldout)
    after, alone = xz_bits_per_byte(train, heldout)
    result = {
        "train": {"documents": len(train), "bytes": sum(map(len, train))},
        "heldout": {"documents": len(heldout), "bytes": sum(map(len, heldout))},
        "xz_after_train": after,
        "xz_alone": alone,
        "kneser_ney_5gram": model.bits_per_byte(heldout),
    }
    result["bar"] = min(after, alone, result["kneser_ney_5gram"])
    if args.format == "json":
        print(json.dumps(result, indent=2))
        return
    for name in ("train", "heldout"):
        print(f"{name:8} {result[name]['documents']:6} documents {result[name]['bytes']:11,} bytes")
    print(f"xz -9e, after the training text  {after:7.4f} bits per byte")
    print(f"xz -9e, held-out text alone      {alone:7.4f} bits per byte")
    print(f"byte 5-gram, modified Kneser-Ney {result['kneser_ney_5gram']:7.4f} bits per byte")
    print(f"to beat                          {result['bar']:7.4f} bits per byte")


if __name__ == "__main__":
    main()
