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
    # What only some lines have.
    more = {"z_loss": lambda line: line.get("z_loss"), "needle": lambda line: line.get("needle")}
    for name in sorted({name for line in lines for name in line.get("evaluation", {})}):
        more[f"evaluation/{name}"] = lambda line, name=name: line.get("evaluation", {}).get(name)
    scalars = set(events.Tags()["scalars"])
    for tag, read in more.items():
        found = [(event.step, event.value) for event in events.Scalars(tag)] if tag in scalars else []
        wanted = [(line["step"], f32(read(line))) for line in lines if read(line) is not None]
        assert found == wanted, f"{tag}: {found[:3]} against {wanted[:3]}"
    texts = events.Tensors("sample") if "sample" in events.Tags()["tensors"] else []
    found = [(event.step, event.tensor_proto.string_val[0].decode()) for event in texts]
    wanted = [(line["step"], line["sample"]) for line in lines if "sample" in line]
    assert found == wanted, f"sample: {found[:1]} against {wanted[:1]}"
    print(f"{len(lines)} steps, {len(TAGS)} scalars each, {len(wanted)} samples: equal to metrics.jsonl")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
