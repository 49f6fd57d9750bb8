#!/usr/bin/env python3
"""The memory that `llmp plan` states for a stage beside the peak resident set of the run that trains it, over 20 settings.

    python3 tests/python/memory_estimate.py --llmp target/release/llmp [--steps 3] [--only 0 5 9]

Every setting is a program of its own on Moby-Dick that trains for a few steps, with tokenizer and tokens made before.
Prints a table and ends with 1 when a setting differs by more than 15%.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

BOOKS = Path(__file__).resolve().parents[2] / "examples/books"
PROGRAM = """llmp 1

source books = text("{books}/*.txt")
tokenizer tok = bpe(train_on = books, vocab = 2048)
model m {{
  tokenizer = tok
  layers    = {layers}
  width     = {width}
  heads     = {heads}
  kv_heads  = {kv}
  head_dim  = {head}
  ffn       = {ffn}
  vocab     = {vocab}
  context   = {context}
  embedding = {embedding}
}}
pretrain run {{
  model     = m
  data      = books
  steps     = {steps}
  batch     = {rows} sequences
  {more}
}}
"""
PLAIN = dict(layers=4, width=256, heads=4, kv=2, head=64, ffn="swiglu(hidden = 704)", vocab=8192, context=256, embedding="tied", rows=8, more="")
SETTINGS = [
    {},
    {"rows": 16},
    {"rows": 32},
    {"context": 512},
    {"context": 1024},
    {"context": 2048, "rows": 2},
    {"layers": 8},
    {"layers": 12, "width": 384, "heads": 6},
    {"width": 512, "heads": 8, "ffn": "swiglu(hidden = 1408)"},
    {"width": 512, "heads": 8, "kv": 8, "ffn": "gelu(hidden = 2048)"},
    {"vocab": 32768},
    {"vocab": 32768, "embedding": "untied"},
    {"vocab": 65536, "layers": 2},
    {"more": "precision = bf16"},
    {"layers": 8, "width": 512, "heads": 8, "more": "precision = bf16"},
    {"layers": 8, "context": 1024, "more": "recompute = blocks"},
    {"layers": 12, "context": 2048, "more": "recompute = blocks"},
    {"layers": 8, "width": 512, "heads": 8, "more": "optimizer = sgd(momentum = 0)"},
    {"layers": 8, "width": 512, "heads": 8, "more": "optimizer = muon()"},
    {"layers": 8, "width": 512, "heads": 8, "more": "publish = ema(decay = 99%)"},
]
TINY = {"layers": 1, "width": 64, "heads": 1, "kv": 1, "head": 64, "ffn": "swiglu(hidden = 64)", "vocab": 2048, "context": 64, "rows": 1}


def measure(llmp, folder, setting, steps):
    """(stated bytes, peak bytes) of one setting."""
    program = folder / "main.llmp"
    program.write_text(PROGRAM.format(**{**PLAIN, **setting, "steps": steps, "books": BOOKS}))
    plan = subprocess.run([llmp, "plan", program, "--format", "json"], capture_output=True, text=True)
    if plan.returncode:
        sys.exit(f"{setting}: {plan.stderr}")
    quiet = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_WRONLY, 0) for descriptor in (1, 2)]
    _, status, usage = os.wait4(os.posix_spawn(llmp, [llmp, "run", str(program), "run"], os.environ, file_actions=quiet), 0)
    if status:
        sys.exit(f"{setting}: the run ended with {status}")
    return json.loads(plan.stdout)["stages"]["run"]["memory_bytes"], usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--llmp", required=True, help="the llmp program")
    parser.add_argument("--steps", type=int, default=3, help="optimizer steps of every run (3)")
    parser.add_argument("--only", type=int, nargs="+", help="numbers of settings (all)")
    args = parser.parse_args()
    llmp = str(Path(args.llmp).resolve())
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, ".llmp").mkdir()
        # The first run makes what all share: tokenizer and tokens.
        measure(llmp, Path(folder), TINY, 1)
        for number, setting in enumerate(SETTINGS):
            if args.only and number not in args.only:
                continue
            stated, peak = measure(llmp, Path(folder), setting, args.steps)
            off = stated / peak - 1
            failed += abs(off) > 0.15
            print(f"{number:2} {stated / 1e6:7.0f} MB stated, {peak / 1e6:7.0f} MB used {off:+6.1%}  {setting}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
