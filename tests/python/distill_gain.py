#!/usr/bin/env python3
"""Does a distilled student beat the same student from scratch at equal tokens? Trains both with several seeds.

    python3 tests/python/distill_gain.py --llmp target/release/llmp --project FOLDER [--loss 'full()'] [--seeds 3]

The text is that of the quickstart (the speeches of ten presidents). One teacher is trained; then, for every seed, a
student on the text alone and one on the teacher, with the same tokens, initial weights, order of documents and
schedule. Held-out bits per byte of each, their paired differences, mean and standard error are printed, whatever they
say.
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

tokenizer tok = bpe(train_on = speeches, vocab = 2048)

model big {{
  tokenizer = tok
  layers    = 4
  width     = 192
  heads     = 6
  kv_heads  = 2
  context   = 256
}}
model small like big {{
  layers   = 2
  width    = 64
  heads    = 2
  kv_heads = 1
}}

pretrain teacher {{ model = big, data = speeches, tokens = {teacher}, batch = 4 sequences, schedule = cosine(peak = 3e-3) }}
eval teacher_score {{ model = teacher, suites = [bits_per_byte(heldout)] }}
"""

ARMS = """
pretrain alone_{seed} {{ model = small, data = speeches, tokens = {student}, batch = 4 sequences, schedule = cosine(peak = 4e-3), seed = {seed} }}
distill taught_{seed} {{ model = small, teacher = teacher, loss = {loss}, data = speeches, tokens = {student}, batch = 4 sequences, schedule = cosine(peak = 4e-3), seed = {seed} }}
eval alone_{seed}_score {{ model = alone_{seed}, suites = [bits_per_byte(heldout)] }}
eval taught_{seed}_score {{ model = taught_{seed}, suites = [bits_per_byte(heldout)] }}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--llmp", default="target/release/llmp")
    parser.add_argument("--project", required=True, type=Path, help="folder for the program and its store")
    parser.add_argument("--loss", default="full()")
    parser.add_argument("--seeds", default=3, type=int)
    parser.add_argument("--teacher", default="1M", help="tokens of the teacher")
    parser.add_argument("--student", default="500k", help="tokens of each student")
    args = parser.parse_args()
    data = Path(__file__).resolve().parents[2] / "examples" / "data" / "sotu-1946-2000.jsonl.gz"
    args.project.mkdir(parents=True, exist_ok=True)
    (args.project / data.name).write_bytes(data.read_bytes())
    text = PROGRAM.format(data=data.name, teacher=args.teacher)
    for seed in range(args.seeds):
        text += ARMS.format(seed=seed, student=args.student, loss=args.loss)
    program = args.project / "gain.llmp"
    program.write_text(text)
    llmp = Path(args.llmp).resolve()
    subprocess.run([llmp, "run", program.name], cwd=args.project, check=True)

    def score(name):
        report = json.loads((args.project / "runs" / "gain" / name).read_text())
        return report["metrics"]["bits_per_byte"]

    print(f"teacher: {score('teacher_score'):.4f} bits per byte")
    gains = []
    for seed in range(args.seeds):
        alone, taught = score(f"alone_{seed}_score"), score(f"taught_{seed}_score")
        gains.append(alone - taught)
        print(f"seed {seed}: alone {alone:.4f}, taught {taught:.4f}, gain {alone - taught:+.4f}")
    mean = sum(gains) / len(gains)
    deviation = math.sqrt(sum((g - mean) ** 2 for g in gains) / max(len(gains) - 1, 1))
    print(f"gain of {args.loss}: {mean:+.4f} ± {deviation / math.sqrt(len(gains)):.4f} bits per byte (standard error)")


if __name__ == "__main__":
    main()
