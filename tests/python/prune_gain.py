#!/usr/bin/env python3
"""Do learned masks lose less than the largest weights when few hidden units are kept? Several seeds.

    python3 tests/python/prune_gain.py --llmp target/release/llmp --project FOLDER [--seeds 3] [--rates 0 10]

The text is that of the quickstart (the speeches of ten presidents). For every seed one parent is trained; then its
feed-forwards are cut to `--keep` units by `magnitude()`, which trains what is left, and by `soft_top_k()`, which trains masks and
weights and then cuts, on as many tokens with one schedule; at rate 0 the mask keeps the order of the weights and only
hardens. All results are trained on alike. Held-out bits per byte after the pruning and after the further training, and the
paired gains over magnitude with mean and standard error are printed, whatever they say.
"""
import argparse
import json
import math
import subprocess
from pathlib import Path

PROGRAM = """llmp 1

source sotu = jsonl("{data}", license = "public-domain")
dataset speeches = sotu |> split(heldout = 8%)
dataset heldout  = speeches.heldout

tokenizer tok = bpe(train_on = speeches, vocab = 512)

model big {{
  tokenizer = tok
  layers    = 3
  width     = 64
  heads     = 4
  kv_heads  = 2
  ffn       = swiglu(hidden = 512)
  context   = 128
}}
"""

ARMS = """
pretrain parent_{seed} {{ model = big, data = speeches, tokens = {parent}, batch = 8 sequences, schedule = cosine(peak = 3e-3), seed = {seed} }}
eval parent_{seed}_score {{ model = parent_{seed}, suites = [bits_per_byte(heldout)] }}
"""

ARM = """
prune {way}_{seed} {{ from = parent_{seed}, keep = {{ ffn_hidden = {keep} }}, method = {method}, data = speeches, tokens = {tokens}, batch = 8 sequences, schedule = constant({peak}), seed = {seed} }}
pretrain {way}_{seed}_on {{ from = {way}_{seed}, data = speeches, tokens = {tokens}, batch = 8 sequences, schedule = cosine(peak = {peak}, warmup = 0%), seed = {seed} }}
eval {way}_{seed}_score {{ model = {way}_{seed}, suites = [bits_per_byte(heldout)] }}
eval {way}_{seed}_on_score {{ model = {way}_{seed}_on, suites = [bits_per_byte(heldout)] }}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--llmp", default="target/release/llmp")
    parser.add_argument("--project", required=True, type=Path, help="folder for the program and its store")
    parser.add_argument("--seeds", default=3, type=int)
    parser.add_argument("--rates", nargs="*", default=["0", "10"], help="rates of the scores, in those of the weights")
    parser.add_argument("--keep", default=64, type=int, help="hidden units that are kept, of 512")
    parser.add_argument("--peak", default="1e-3")
    parser.add_argument("--parent", default="1500k", help="tokens of the parent")
    parser.add_argument("--tokens", default="200k", help="tokens of the pruning, and of the training behind it")
    args = parser.parse_args()
    data = Path(__file__).resolve().parents[2] / "examples" / "data" / "sotu-1946-2000.jsonl.gz"
    args.project.mkdir(parents=True, exist_ok=True)
    (args.project / data.name).write_bytes(data.read_bytes())
    ways = {"magnitude": "magnitude()"} | {f"rate_{r}": f"soft_top_k(rate = {r})" for r in args.rates}
    text = PROGRAM.format(data=data.name)
    for seed in range(args.seeds):
        text += ARMS.format(seed=seed, parent=args.parent)
        for way, method in ways.items():
            text += ARM.format(seed=seed, way=way, method=method, tokens=args.tokens, peak=args.peak, keep=args.keep)
    (args.project / "pruned.llmp").write_text(text)
    subprocess.run([Path(args.llmp).resolve(), "run", "pruned.llmp"], cwd=args.project, check=True)

    def score(name):
        report = json.loads((args.project / "runs" / "pruned" / f"{name}_score").read_text())
        return report["metrics"]["bits_per_byte"]

    parents = [score(f"parent_{seed}") for seed in range(args.seeds)]
    print("parent:", " ".join(f"{x:.4f}" for x in parents))
    for when in ["", "_on"]:
        plain = [score(f"magnitude_{seed}{when}") for seed in range(args.seeds)]
        print(f"magnitude{when}:", " ".join(f"{x:.4f}" for x in plain))
        for way in list(ways)[1:]:
            scores = [score(f"{way}_{seed}{when}") for seed in range(args.seeds)]
            gains = [a - b for a, b in zip(plain, scores)]
            mean = sum(gains) / len(gains)
            deviation = math.sqrt(sum((g - mean) ** 2 for g in gains) / max(len(gains) - 1, 1))
            error = deviation / math.sqrt(len(gains))
            print(f"{way}{when}:", " ".join(f"{x:.4f}" for x in scores), f"gain {mean:+.4f} ± {error:.4f} bits per byte")


if __name__ == "__main__":
    main()
