#!/usr/bin/env python3
"""Peak memory of the whole chain on generated documents, under a limit of the address space.

    python3 tests/python/memory.py --llmp target/release/llmp --data DATA --megabytes 1000 3000 10000 [--limit 1024]

Documents come from generate.py (unique, 20% near-duplicates, made of real sentences) and are written as Zstandard by a pipe, so
that 10 GB of text need about 3 GB of disk. The program reads them, takes them through the filters and MinHash, and splits the
rest. `--limit` (MiB) is set with RLIMIT_AS, which counts mapped memory whether it is used or not; the peak is the largest
resident set (`ru_maxrss`). Everything is removed at the end.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import generate

PROGRAM = """llmp 1

source web = jsonl("web.jsonl.zst")
dataset clean = web
CHAIN
  |> dedup_minhash()
  |> split(heldout = 1%)
"""
CHAIN = ["gopher_repetition()", "gopher_quality()", "c4_lines()", "c4_quality()", "fineweb_quality()", "detect_language()"]


def runs(binary, folder, step):
    """Whether this build has a runtime for the step."""
    (folder / "one.llmp").write_text(f'llmp 1\n\nsource web = jsonl("one.jsonl")\ndataset clean = web |> {step}\n')
    (folder / "one.jsonl").write_text('{"text": "one"}\n')
    return subprocess.run([binary, "run", "one.llmp"], cwd=folder, capture_output=True).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llmp", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--megabytes", type=float, nargs="+", default=[1000, 3000, 10000])
    parser.add_argument("--limit", type=int, default=1024, help="MiB of address space")
    parser.add_argument("--folder", help="where the files lie meanwhile")
    args = parser.parse_args()
    binary = str(Path(args.llmp).resolve())
    for size in args.megabytes:
        with tempfile.TemporaryDirectory(dir=args.folder) as name:
            folder = Path(name)
            chain = [step for step in CHAIN if runs(binary, folder, step)]
            left_out = [step for step in CHAIN if step not in chain]
            (folder / "main.llmp").write_text(PROGRAM.replace("CHAIN", "\n".join(f"  |> {step}" for step in chain)))
            count, new = 0, 0
            with open(folder / "web.jsonl.zst", "wb") as out:
                zstd = subprocess.Popen(["zstd", "-q", "-1", "-c"], stdin=subprocess.PIPE, stdout=out)
                for ident, text in generate.documents(args.data, size, 20):
                    line = json.dumps({"id": ident, "text": text}, ensure_ascii=False) + "\n"
                    zstd.stdin.write(line.encode())
                    count += 1
                    new += ident.startswith("doc")
                zstd.stdin.close()
                zstd.wait()
            print(
                f"{size:g} MB of text, {count} documents, {new} of them new; {' '.join(chain)}"
                + (f" (this build lacks {' '.join(left_out)})" if left_out else ""),
                flush=True,
            )
            limit = args.limit << 20
            start = time.perf_counter()
            child = subprocess.Popen(
                [binary, "run", "main.llmp"],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(os.environ, MALLOC_ARENA_MAX="2"),
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
            )
            output = child.stdout.read().decode()
            _, status, usage = os.wait4(child.pid, 0)
            seconds = time.perf_counter() - start
            if status:
                sys.exit(output)
            print(output.strip())
            print(
                f"  peak {usage.ru_maxrss / 1024:.0f} MiB resident of {args.limit} MiB allowed; {seconds:.0f} s,"
                f" {size / seconds:.1f} MB/s; load {os.getloadavg()[0]:.1f}\n",
                flush=True,
            )


if __name__ == "__main__":
    main()
