#!/usr/bin/env python3
"""MinHash deduplication beside datatrove and rensa, from a JSON Lines file to a file of what stays.

    python3 tests/python/dedup_speed.py --llmp target/release/llmp --data DATA --sizes 2 20 200

Needs `datatrove[processing]` and `rensa`. Documents come from generate.py (20% near-duplicates). Everybody has 14 bands of 8
rows over word 5-grams and reads and writes the same lines; times are wall clock, best of `--repeat`. datatrove is run on the
sizes up to `--datatrove-up-to` (two workers), rensa on all of them twice: on the same 5-grams, which Python has to join, and on
plain words, its quick way (another similarity). llmp is run on two threads and on one, since rensa's script uses one.
"""
import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import generate

PROGRAM = """llmp 1

source web = jsonl("web.jsonl")
dataset unique = web |> dedup_minhash(ngram = 5, bands = 14, rows = 8)
"""


def run_llmp(binary, folder, threads):
    shutil.rmtree(folder / ".llmp", ignore_errors=True)
    (folder / "main.llmp").write_text(PROGRAM)
    env = dict(os.environ, RAYON_NUM_THREADS=str(threads))
    start = time.perf_counter()
    done = subprocess.run([binary, "run", "main.llmp"], cwd=folder, env=env, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stderr)
    kept = 0
    for manifest in (folder / ".llmp/store").glob("*/manifest.json"):
        for funnel in json.loads(manifest.read_text())["funnels"]:
            if funnel["step"].startswith("unique") or "near duplicate" in funnel.get("reasons", {}):
                kept = funnel["documents_out"]
    return seconds, kept


def run_rensa(folder, grams):
    from rensa import RMinHash, RMinHashLSH

    start = time.perf_counter()
    lines = (folder / "web.jsonl").read_bytes().splitlines(keepends=True)
    tokens = []
    for line in lines:
        words = json.loads(line)["text"].lower().split()
        tokens.append([" ".join(words[k : k + 5]) for k in range(len(words) - 4)] if grams else words)
    matrix = RMinHash.digest_matrix_from_token_sets(tokens, num_perm=112, seed=1)
    lsh = RMinHashLSH(threshold=0.7, num_perm=112, num_bands=14)
    flags = lsh.insert_matrix_and_query_duplicate_flags(matrix)
    kept = 0
    with open(folder / "rensa.jsonl", "wb") as out:
        for line, duplicate in zip(lines, flags):
            if not duplicate:
                kept += 1
                out.write(line)
    return time.perf_counter() - start, kept


def run_datatrove(folder):
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
    )
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.hashing import HashConfig

    # One file for each of the two tasks, since a file is datatrove's unit of work.
    work = folder / "datatrove"
    shutil.rmtree(work, ignore_errors=True)
    (work / "in").mkdir(parents=True)
    lines = (folder / "web.jsonl").read_bytes().splitlines(keepends=True)
    for task in range(2):
        (work / "in" / f"{task}.jsonl").write_bytes(b"".join(lines[task::2]))
    config = MinhashConfig(
        hash_config=HashConfig(precision=64), n_grams=5, num_buckets=14, hashes_per_bucket=8
    )
    reader = lambda: JsonlReader(str(work / "in"))
    stages = [
        ([reader(), MinhashDedupSignature(output_folder=str(work / "s"), config=config)], 2),
        ([MinhashDedupBuckets(input_folder=str(work / "s"), output_folder=str(work / "b"), config=config)], 14),
        ([MinhashDedupCluster(input_folder=str(work / "b"), output_folder=str(work / "r"), config=config)], 1),
        ([reader(), MinhashDedupFilter(input_folder=str(work / "r")), JsonlWriter(str(work / "out"))], 2),
    ]
    start = time.perf_counter()
    for number, (pipeline, tasks) in enumerate(stages):
        with contextlib.redirect_stderr(io.StringIO()):
            LocalPipelineExecutor(
                pipeline, tasks=tasks, workers=2, logging_dir=str(work / f"log{number}"), start_method="fork"
            ).run()
    seconds = time.perf_counter() - start
    kept = 0
    import gzip

    for path in (work / "out").glob("*"):
        with gzip.open(path) as out:
            kept += sum(1 for _ in out)
    return seconds, kept


def best(repeat, run):
    return min((run() for _ in range(repeat)), key=lambda result: result[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llmp", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--sizes", type=float, nargs="+", default=[2, 20, 200], help="megabytes of text")
    parser.add_argument("--datatrove-up-to", type=float, default=20)
    parser.add_argument("--repeat", type=int, default=2)
    args = parser.parse_args()
    binary = str(Path(args.llmp).resolve())
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            count, unique = 0, 0
            with open(folder / "web.jsonl", "w") as out:
                for ident, text in generate.documents(args.data, size, 20):
                    out.write(json.dumps({"id": ident, "text": text}, ensure_ascii=False) + "\n")
                    count += 1
                    unique += ident.startswith("doc")
            load = os.getloadavg()[0]
            print(f"{size:g} MB of text, {count} documents, {unique} of them new; load {load:.1f}", flush=True)
            runs = {
                "llmp, two threads": lambda: run_llmp(binary, folder, 2),
                "llmp, one thread": lambda: run_llmp(binary, folder, 1),
                "rensa, 5-grams": lambda: run_rensa(folder, True),
                "rensa, words": lambda: run_rensa(folder, False),
            }
            if size <= args.datatrove_up_to:
                runs["datatrove, two workers"] = lambda: run_datatrove(folder)
            first = None
            for name, run in runs.items():
                seconds, kept = best(1 if "datatrove" in name else args.repeat, run)
                first = first or seconds
                print(
                    f"  {name:24} {seconds:9.2f} s {size / seconds:9.1f} MB/s {kept:8} kept"
                    f"   {seconds / first:7.2f} times the time of llmp",
                    flush=True,
                )


if __name__ == "__main__":
    main()
