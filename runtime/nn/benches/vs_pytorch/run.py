"""Our training step beside PyTorch's, in turn and in one run: ratios of tokens per second, peak memory, loss curves.

    venv/bin/python runtime/nn/benches/vs_pytorch/run.py [--models small medium] [--precisions f32 bf16]
    venv/bin/python runtime/nn/benches/vs_pytorch/run.py --against candle burn     (in f32, from benches/rivals)

Both start from the same weights and read the same batches of a real text. Eager and torch.compile are tried first;
the faster one is the twin. Every round lets each side take the same number of steps; sides change the order of turns.
A ratio above 1 says that ours is faster. The text becomes word numbers, so no tokenizer is needed.
"""

import argparse
import collections
import ctypes.util
import gzip
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

import numpy

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]
TEXT = ROOT / "examples/data/sotu-1946-2000.jsonl.gz"
ROWS = {"small": 8, "medium": 2}


def tokens(path, vocabulary=8192):
    """Words and marks of the text by rank; the last id stands for all rare ones."""
    words = []
    with gzip.open(TEXT, "rt") as lines:
        for line in lines:
            words += re.findall(r"\w+|[^\w\s]", json.loads(line)["text"])
    ranks = {word: i for i, (word, _) in enumerate(collections.Counter(words).most_common(vocabulary - 1))}
    numpy.array([ranks.get(word, vocabulary - 1) for word in words], dtype="<u4").tofile(path)


def build():
    """The path of our side, built as the workspace is."""
    command = ["cargo", "bench", "--workspace", "--bench", "vs_pytorch", "--no-run", "--message-format=json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    found = [json.loads(line) for line in lines]
    return next(m["executable"] for m in found if m.get("target", {}).get("name") == "vs_pytorch" and m["executable"])


def build_rival(name):
    """The path of another Rust framework's side."""
    folder = HERE.parent / "rivals"
    command = ["cargo", "build", "--release", "--bin", name]
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, "RUSTFLAGS": "-C target-cpu=native"})
    return folder / "target/release" / name


class Side:
    """A process that runs steps when it is told to, and sleeps otherwise."""

    def __init__(self, command, environment):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, **environment})
        self.seconds, self.losses = [], []
        self.hello = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"a side ended: {self.process.args}")
        return json.loads(line)

    def run(self, steps):
        """Seconds of each of the next steps."""
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        answer = self.read()
        self.losses += answer["losses"]
        return answer["seconds"]

    def peak(self):
        """Peak resident memory in MB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1e3

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def allocator(preload):
    """Environment of the twin: a good allocator, and threads that sleep between turns."""
    library = preload or next(filter(None, map(ctypes.util.find_library, ["jemalloc", "tcmalloc"])), None)
    quiet = {"OMP_WAIT_POLICY": "PASSIVE"}
    if library:
        return {**quiet, "LD_PRELOAD": library}, library
    # glibc that keeps its memory: no page is mapped twice
    return {**quiet, "MALLOC_TRIM_THRESHOLD_": "-1", "MALLOC_MMAP_THRESHOLD_": "4294967296"}, "glibc, memory kept"


def pytorch(common, model, arguments):
    """The faster form of the twin: its process, its name, seconds of each form."""
    environment, name = allocator(arguments.preload)
    threads = str(arguments.threads)
    twin = [sys.executable, str(HERE / "twin.py"), *common, "--rows", str(ROWS[model]), "--threads", threads]
    candidates = {}
    for form in [[], ["--compile"]]:
        side = Side(twin + form, environment)
        side.run(2)
        candidates[form[0] if form else "eager"] = statistics.median(side.run(arguments.trial))
        side.close()
    best = min(candidates, key=candidates.get)
    theirs = Side(twin + ([best] if best != "eager" else []), environment)
    return theirs, f"PyTorch {theirs.hello['torch']} ({name}): " + ", ".join(f"{k} {v:.3f} s" for k, v in candidates.items())


def compare(model, precision, rival, ours_path, folder, arguments):
    ids = folder / "tokens.bin"
    threads = str(arguments.threads)
    weights = folder / f"{model}-{precision}"
    common = ["--precision", precision, "--tokens", str(ids), "--folder", str(weights)]
    ours = Side([ours_path, "--model", model, *common], {"RAYON_NUM_THREADS": threads})
    if rival == "pytorch":
        theirs, words = pytorch(common, model, arguments)
    else:
        environment = {"RAYON_NUM_THREADS": threads, **allocator(arguments.preload)[0]}
        theirs = Side([str(build_rival(rival)), *common, "--rows", str(ROWS[model])], environment)
        words = theirs.hello["name"]
    # First steps compile and warm caches; they count for the curves only.
    ours.run(2), theirs.run(2)
    ratios, times = [], ([], [])
    per_round = max((arguments.steps or (200 if model == "small" else 50)) // arguments.rounds, 1)
    for number in range(arguments.rounds):
        turns = [(0, ours), (1, theirs)] if number % 2 == 0 else [(1, theirs), (0, ours)]
        taken = [0, 0]
        for side, process in turns:
            seconds = process.run(per_round)
            taken[side] = sum(seconds)
            times[side].extend(seconds)
        ratios.append(taken[1] / taken[0])
    apart = max(abs(a - b) for a, b in zip(ours.losses, theirs.losses))
    hello, count = ours.hello, len(ours.losses)
    fastest, median = min(times[0]), statistics.median(times[0])
    print(f"{model} {precision}, {count} steps of {hello['tokens']:.0f} tokens, {threads} threads; load {os.getloadavg()[0]:.1f}")
    print(f"  {words}")
    print(f"  seconds a step, best and median: ours {fastest:.3f} {median:.3f}, {rival} {min(times[1]):.3f} {statistics.median(times[1]):.3f}")
    print(f"  ratio of tokens/s over {arguments.rounds} rounds: min {min(ratios):.3f}, median {statistics.median(ratios):.3f}  {[round(r, 3) for r in ratios]}")
    share = [hello["flops"] / s / hello["peak"] for s in (fastest, median)]
    print(f"  {hello['flops'] / fastest / 1e9:.0f} GF/s at best; {share[0]:.0%} of the measured product rate {hello['peak'] / 1e9:.0f} GF/s, {share[1]:.0%} at the median")
    print(f"  peak memory: ours {ours.peak():.0f} MB, {rival} {theirs.peak():.0f} MB ({theirs.peak() / ours.peak():.2f} times)")
    print(f"  losses: first {ours.losses[0]:.4f} {theirs.losses[0]:.4f}, last {ours.losses[-1]:.4f} {theirs.losses[-1]:.4f}, largest difference {apart:.4f} nats", flush=True)
    ours.close(), theirs.close()
    return {"model": model, "precision": precision, "ratios": ratios, "apart": apart}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["small", "medium"], choices=list(ROWS))
    parser.add_argument("--precisions", nargs="+", default=["f32", "bf16"], choices=["f32", "bf16"])
    parser.add_argument("--against", nargs="+", default=["pytorch"], choices=["pytorch", "candle", "burn"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="steps of all rounds together; 200 for small, 50 for medium")
    parser.add_argument("--trial", type=int, default=8, help="steps that choose between eager and torch.compile")
    parser.add_argument("--preload", help="allocator library for PyTorch; jemalloc or tcmalloc where installed")
    arguments = parser.parse_args()
    ours = build()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        tokens(folder / "tokens.bin")
        for model in arguments.models:
            for precision in arguments.precisions:
                for rival in arguments.against:
                    # The others are not made for training in 16 bits on a CPU.
                    if rival == "pytorch" or precision == "f32":
                        compare(model, precision, rival, ours, folder, arguments)


if __name__ == "__main__":
    main()
