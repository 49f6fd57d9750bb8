"""Kills a run with SIGKILL while it filters and again while it trains, lets it finish, and tells what was done twice.

    python tests/python/kills.py --llmp target/release/llmp --program quickstart --reference examples/release/quickstart
    python tests/python/kills.py --llmp target/release/llmp --program sft_dpo --reference examples/release/sft_dpo \
        --at best.generate:200 aligned:20 replies.generate:300

Works in a temporary copy of examples/. `--reference` is the release folder of a run that nobody killed: the weights must be
the same bytes. `--at STEP:N` kills at a number of documents or optimizer steps of a step instead. Prints one line for each kill and ends with 1 when bytes differ or more than 30 s were lost.
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


def killed_at(llmp, program, args) -> int:
    """Kills where it is told to, and lets the run finish."""
    for place in args.at:
        step, number = place.rsplit(":", 1)
        count = lambda e: e.get("at", e.get("done", -1))
        seen, status = run(llmp, program, lambda e: e.get("step") == step and count(e) >= int(number))
        print(f"killed in {seen[-1].get('step')} at {count(seen[-1])} (status {status})", flush=True)
        if status != -signal.SIGKILL:
            return 1
    _, status = run(llmp, program, lambda e: False)
    released = program.parent / "release" / args.program
    same = args.reference is None or digest(args.reference) == digest(released)
    print(f"status {status}, weights {digest(released)}: {'the same' if same else 'DIFFERENT'} bytes")
    return 0 if status == 0 and same else 1


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--llmp", required=True)
    parser.add_argument("--program", default="quickstart")
    parser.add_argument("--reference", type=pathlib.Path)
    parser.add_argument("--at-step", type=int, default=900)
    parser.add_argument("--at", nargs="+", help="kills in these steps instead: STEP:N")
    args = parser.parse_args()
    llmp = str(pathlib.Path(args.llmp).resolve())
    examples = pathlib.Path(__file__).resolve().parents[2] / "examples"
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "examples"
        shutil.copytree(examples, copy, ignore=shutil.ignore_patterns(".llmp", "runs", "release"))
        program = copy / f"{args.program}.llmp"

        if args.at:
            return killed_at(llmp, program, args)

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
