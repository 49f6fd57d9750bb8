"""Perplexity beside KenLM: an ARPA file scored by both, and the model that llmp trains beside one trained here by the formulas.

    python3 tests/python/perplexity_parity.py --llmp target/release/llmp --data ../shared/data

The model is an interpolated modified Kneser-Ney model of order 3 of real books, computed below in double precision, written as ARPA and scored by
KenLM's own library on all documents of prose. Fails where a perplexity differs by more than 0.1% (KenLM keeps logarithms as 32-bit numbers, so do
we). Needs `pip install kenlm zstandard`.
"""

import argparse
import collections
import json
import math
import pathlib
import tempfile

import kenlm

import llmp_data

ORDER = 3


def sentences(text: str) -> list[list[str]]:
    return [words for line in text.split("\n") if (words := llmp_data.words(line))]


def model(lines: list[list[str]]) -> list[dict[tuple, tuple[float, float]]]:
    """Probability and back-off weight of each n-gram, the shortest first."""
    raw = [collections.Counter() for _ in range(ORDER)]
    for line in lines:
        tokens = ["<s>", *line, "</s>"]
        for n in range(1, ORDER + 1):
            raw[n - 1].update(tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1))
    counts = [dict(raw[-1])]
    for n in range(ORDER - 1, 0, -1):
        behind = collections.Counter(gram[1:] for gram in raw[n])
        counts.insert(0, {g: raw[n - 1][g] if g[0] == "<s>" else behind[g] for g in raw[n - 1]})
    counts[0][("<s>",)] = counts[0][("<unk>",)] = 0
    levels, shorter = [], None
    for n in range(1, ORDER + 1):
        own = counts[n - 1]
        having = collections.Counter(own.values())
        t = [having[k] for k in range(1, 5)]
        d = [0.5, 1.0, 1.5]
        if all(t):
            y = t[0] / (t[0] + 2 * t[1])
            found = [k - (k + 1) * y * t[k] / t[k - 1] for k in (1, 2, 3)]
            d = found if all(0 <= x <= k for x, k in zip(found, (1, 2, 3))) else d
        total, freed = collections.Counter(), collections.Counter()
        for gram, count in own.items():
            if count:
                total[gram[:-1]] += count
                freed[gram[:-1]] += d[min(count, 3) - 1]
        weight = {context: freed[context] / total[context] for context in total}
        below = lambda gram: 1 / (len(own) - 1) if n == 1 else shorter[gram[1:]]
        p = {}
        for gram, count in own.items():
            context = gram[:-1]
            p[gram] = max(count - (d[min(count, 3) - 1] if count else 0), 0) / total[context] + weight[context] * below(gram)
        if n > 1:
            levels[-1] = {gram: (x, weight.get(gram, 1.0)) for gram, (x, _) in levels[-1].items()}
        else:
            p[("<s>",)] = 1.0
        levels.append({gram: (x, 1.0) for gram, x in p.items()})
        shorter = p
    return levels


def arpa(levels: list[dict], path: pathlib.Path) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.write("\\data\\\n" + "".join(f"ngram {n}={len(level)}\n" for n, level in enumerate(levels, 1)))
        for n, level in enumerate(levels, 1):
            out.write(f"\n\\{n}-grams:\n")
            for gram, (p, weight) in level.items():
                back = f"\t{math.log10(weight):.9f}" if n < ORDER else ""
                out.write(f"{math.log10(p):.9f}\t{' '.join(gram)}{back}\n")
        out.write("\n\\end\\\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--llmp", required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    args = parser.parse_args()
    books = [p.read_text(encoding="utf-8-sig") for p in sorted(args.data.glob("prose/books/*.txt"))[:4]]
    texts = [row["text"] for name in ["18f-blog", "rust-book", "sotu-1946-2000", "perl-pod"] for row in llmp_data.rows(args.data / f"prose/{name}.jsonl.gz")]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for path, rows in [("books.jsonl", books), ("texts.jsonl", texts)]:
            (folder / path).write_text("".join(json.dumps({"text": text}) + "\n" for text in rows), encoding="utf-8")
        levels = model([line for text in books for line in sentences(text)])
        arpa(levels, folder / "model.arpa")
        program = """llmp 1

source books = jsonl("books.jsonl")
source texts = jsonl("texts.jsonl")

dataset read    = texts |> score_perplexity(model = "model.arpa")
dataset trained = texts |> score_perplexity(train_on = books, order = 3)
"""
        llmp_data.run(str(pathlib.Path(args.llmp).resolve()), folder, program)
        theirs = kenlm.Model(str(folder / "model.arpa"))
        wanted = []
        for text in texts:
            lines = sentences(text)
            log10 = sum(theirs.score(" ".join(line), bos=True, eos=True) for line in lines)
            tokens = sum(len(line) + 1 for line in lines)
            wanted.append(10 ** (-log10 / tokens) if tokens else None)
        wrong = []
        for item in ["read", "trained"]:
            own = {llmp_data.number(doc): doc["metadata"].get("perplexity") for doc in llmp_data.stored(folder / f"runs/program/{item}")}
            pairs = [(own[at], right) for at, right in enumerate(wanted) if right is not None]
            furthest = max(abs(a - b) / b for a, b in pairs)
            print(f"{item}: {len(pairs)} documents, largest relative difference from KenLM {furthest:.1e}")
            if furthest > 1e-3:
                wrong.append(f"{item}: perplexities differ by {furthest:.1e}")
        print(f"n-grams: {[len(level) for level in levels]}; perplexities from {min(w for w in wanted if w):.0f} to {max(w for w in wanted if w):.0f}")
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
