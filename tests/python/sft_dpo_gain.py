"""What each stage of examples/sft_dpo.llmp changes, over several seeds, with standard errors.

    python3 tests/python/sft_dpo_gain.py --llmp target/release/llmp [--seeds 3] [--work FOLDER]

Runs a copy of the example once a seed (the base model is trained once) and prints: the accuracy of both reward models, log-probabilities
of chosen and rejected answers in the first and last fifth of DPO, held-out implicit accuracy, KL to the reference, perplexity,
the share of answers that the verifier accepts, their lengths, and how often the second reward model prefers the aligned model's answer to
the one before DPO: over all prompts, and over those whose two answers differ in length by at most a quarter.
"""

import argparse
import collections
import gzip
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def rows(folder):
    for path in sorted(folder.rglob("*.jsonl*")):
        if path.name.endswith(".zst"):
            text = subprocess.run(["zstd", "-dcq", str(path)], check=True, stdout=subprocess.PIPE).stdout.decode()
        else:
            text = gzip.open(path, "rt").read() if path.suffix == ".gz" else path.read_text()
        yield from map(json.loads, text.splitlines())


def said(record):
    answer = record["answer"]
    return answer if isinstance(answer, str) else answer[-1]["content"]


def asked(record):
    return json.dumps(record["prompt"])


def answers(folder):
    """Figures of the answers to prompts that no stage has read."""
    by = collections.defaultdict(dict)
    for record in rows(folder):
        record = {**record, **record.get("metadata", {})}
        by[record["by"]].setdefault(asked(record), record)
    found = {}
    for model, all in by.items():
        found[f"verified answers of {model}"] = statistics.mean(bool(r["verified"]) for r in all.values())
        found[f"characters of an answer of {model}"] = statistics.mean(len(said(r)) for r in all.values())
    wins, matched = [], []
    for prompt, after in by["aligned"].items():
        before = by["picked"].get(prompt)
        if before is None:
            continue
        win = 0.5 if after["score"] == before["score"] else float(after["score"] > before["score"])
        wins.append(win)
        a, b = len(said(after)), len(said(before))
        if abs(a - b) <= 0.25 * max(a, b):
            matched.append(win)
    found["win rate of aligned over picked"] = statistics.mean(wins)
    found["the same at matched lengths"] = statistics.mean(matched)
    found["prompts at matched lengths"] = len(matched)
    return found


def stage(path):
    """First and last fifth of DPO."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    fifth = max(len(lines) // 5, 1)
    found = {}
    for name in sorted(set(lines[-1]) - {"step", "tokens", "lr", "norm"}):
        values = [line[name] for line in lines if isinstance(line.get(name), (int, float))]
        if len(values) == len(lines):
            found[f"dpo {name}, first fifth"] = statistics.mean(values[:fifth])
            found[f"dpo {name}, last fifth"] = statistics.mean(values[-fifth:])
    return found


def run(llmp, work, seed):
    begin = time.time()
    command = [llmp, "run", "sft_dpo.llmp", "--set", f"seed={seed}", "--format", "json"]
    done = subprocess.run(command, cwd=work, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"seed {seed}: llmp ended with {done.returncode}")
    found = {"seconds": time.time() - begin}
    for line in done.stdout.splitlines():
        event = json.loads(line)
        if "name" in event and "value" in event:
            found[f"{event['step']} {event['name']}"] = event["value"]
    runs = work / "runs/sft_dpo"
    found.update(stage(next((runs / "aligned").rglob("metrics.jsonl"))))
    found.update(answers(work / "exports/sft_dpo"))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llmp", default="llmp")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--work", help="where it runs; kept if given")
    arguments = parser.parse_args()
    work = pathlib.Path(arguments.work or tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    (work / ".llmp").mkdir(exist_ok=True)
    shutil.copytree(ROOT / "examples/books", work / "books", dirs_exist_ok=True)
    shutil.copy(ROOT / "examples/sft_dpo.llmp", work)
    all = [run(os.path.abspath(arguments.llmp), work, seed + 1) for seed in range(arguments.seeds)]
    for name in all[0]:
        values = [one[name] for one in all if name in one]
        error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
        print(f"{name:60} {statistics.mean(values):10.4f} ± {error:.4f}")
    if not arguments.work:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
