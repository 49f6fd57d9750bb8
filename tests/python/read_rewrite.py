"""Time of reading and rewriting JSONL.zst: llmp against `zstd -d | zstd` at the same level, over three sizes.

    python3 tests/python/read_rewrite.py --llmp target/release/llmp --data ../shared/data --sizes 16 160 1600

Documents are real (prose, code, several languages), repeated up to each size in MB; repetitions lie further apart than
zstd's window. Both sides run in turn, `--rounds` times; the ratio is that of the medians. llmp reads, checks every
record, writes parts that survive a power failure, hashes all it reads and writes, and copies the export.
"""

import argparse
import gzip
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

FILES = [
    "prose/sotu-1946-2000.jsonl.gz",
    "prose/18f-blog.jsonl.gz",
    "prose/rust-book.jsonl.gz",
    "prose/perl-pod.jsonl.gz",
    "code/code.jsonl.gz",
    "multilingual/udhr.jsonl.gz",
]


def documents(data):
    docs = []
    for name in FILES:
        for line in gzip.open(data / name, "rt", encoding="utf-8"):
            doc = json.loads(line)
            if isinstance(doc.get("text"), str):
                docs.append(doc)
    return docs


def make(path, docs, megabytes):
    """Writes documents until there are enough; gives the number of bytes."""
    packer = subprocess.Popen(["zstd", "-q", "-3", "-f", "-o", str(path)], stdin=subprocess.PIPE)
    written, round_ = 0, 0
    while written < megabytes * 1_000_000:
        for doc in docs:
            line = json.dumps({**doc, "id": f"{round_}/{doc.get('id', '')}"}, ensure_ascii=False).encode() + b"\n"
            packer.stdin.write(line)
            written += len(line)
            if written >= megabytes * 1_000_000:
                break
        round_ += 1
    packer.stdin.close()
    packer.wait()
    return written


def timed(command, folder):
    start, before = time.perf_counter(), os.times()
    subprocess.run(command, cwd=folder, shell=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, cpu


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--llmp", required=True)
    arguments.add_argument("--data", required=True, type=Path)
    arguments.add_argument("--sizes", nargs="+", type=int, default=[16, 160, 1600])
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    llmp = str(Path(options.llmp).resolve())
    docs = documents(options.data)
    print(f"load at the beginning {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    print(f"{'MB':>6} {'zstd s':>8} {'llmp s':>8} {'ratio':>6} {'zstd cpu s':>11} {'llmp cpu s':>11} {'ratio':>6} {'llmp MB/s':>10}")
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            bytes_ = make(folder / "in.jsonl.zst", docs, size)
            (folder / "copy.llmp").write_text(
                'llmp 1\n\nsource lines = jsonl("in.jsonl.zst")\n\nexport out { data = lines }\n'
            )
            zstd, own = [], []
            for _ in range(options.rounds):
                zstd.append(timed("zstd -q -d -c in.jsonl.zst | zstd -q -3 -c > out.zst", folder))
                for old in (".llmp", "export", "runs"):
                    shutil.rmtree(folder / old, ignore_errors=True)
                own.append(timed(f"{llmp} run copy.llmp", folder))
            middle = lambda all_, which: statistics.median(one[which] for one in all_)
            a, b, c, d = middle(zstd, 0), middle(own, 0), middle(zstd, 1), middle(own, 1)
            print(
                f"{bytes_ / 1e6:>6.0f} {a:>8.2f} {b:>8.2f} {b / a:>6.2f} {c:>11.2f} {d:>11.2f} {d / c:>6.2f}"
                f" {bytes_ / 1e6 / b:>10.0f}"
            )
    print(f"load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
