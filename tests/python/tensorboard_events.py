"""Reads the event file of a trained stage with TensorBoard's own reader and compares it with metrics.jsonl.

    pip install tensorboard
    python tests/python/tensorboard_events.py runs/PROGRAM/STAGE
"""

import json
import struct
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

TAGS = {"loss": "loss", "learning_rate": "lr", "gradient_norm": "norm", "tokens": "tokens"}


def f32(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


def main(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    for tag, key in TAGS.items():
        found = [(event.step, event.value) for event in events.Scalars(tag)]
        wanted = [(line["step"], f32(line[key])) for line in lines]
        assert lines and found == wanted, f"{tag}: {found[:3]} against {wanted[:3]}"
    print(f"{len(lines)} steps, {len(TAGS)} scalars each: equal to metrics.jsonl")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
