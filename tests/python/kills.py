"""Kills a run with SIGKILL while it filters and again while it trains, lets it finish, and tells what was done twice.

    python tests/python/kills.py --llmp target/release/llmp --program quickstart --reference examples/release/quickstart

Works in a temporary copy of examples/. `--reference` is the release folder of a run that nobody killed: the weights must be
the same bytes. Prints one line for each kill and ends with 1 when bytes differ or more than 30 s were lost.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time


def digest(folder: pathlib.Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def run(llmp: str, program: pathlib.Path, stop):
    """Runs until `stop(event, seconds)` says so; returns the events, each with its second, and the exit status."""
    begin = time.monotonic()
    child = subprocess.Popen([llmp, "run", program.name, "--format", "json"], cwd=program.parent, stdout=subprocess.PIPE, text=True)
    seen = []
    for line in child.stdout:
        event = json.loads(line) | {"second": time.monotonic() - begin}
        seen.append(event)
        if stop(event):
            child.send_signal(signal.SIGKILL)
            break
    return seen, child.wait()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--llmp", required=True)
    parser.add_argument("--program", default="quickstart")
    parser.add_argument("--reference", type=pathlib.Path)
    parser.add_argument("--at-step", type=int, default=900)
    args = parser.parse_args()
    llmp = str(pathlib.Path(args.llmp).resolve())
    examples = pathlib.Path(__file__).resolve().parents[2] / "examples"
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "examples"
        shutil.copytree(examples, copy, ignore=shutil.ignore_patterns(".llmp", "runs", "release"))
        program = copy / f"{args.program}.llmp"

        def filtering(event) -> bool:
            time.sleep(0.3)
            return event["event"] == "started"

        begin = time.monotonic()
        seen, status = run(llmp, program, filtering)
        lost = [time.monotonic() - begin]
        print(f"killed in {seen[-1]['step']} (status {status}): at most {lost[0]:.1f} s were done twice")
        seen, status = run(llmp, program, lambda e: e["event"] == "loss" and e["at"] >= args.at_step)
        last = [e for e in seen if e["event"] == "loss"][-1]
        print(f"killed in {last['step']} at step {last['at']} (status {status})")
        after, status = run(llmp, program, lambda e: False)
        first = next(e for e in after if e["event"] == "loss")
        again = [e for e in seen if e["event"] == "loss" and e["at"] >= first["at"]]
        lost.append(again[-1]["second"] - again[0]["second"] if again else 0.0)
        print(f"went on at step {first['at']}: {len(again)} steps, {lost[-1]:.1f} s, were done twice")
        released = copy / "release" / args.program
        print(f"status {status}, weights {digest(released)}")
        same = args.reference is None or digest(args.reference) == digest(released)
        if args.reference is not None:
            print("the same bytes as without a kill" if same else "DIFFERENT bytes than without a kill")
        return 0 if status == 0 and same and max(lost) <= 30 else 1


if __name__ == "__main__":
    sys.exit(main())
