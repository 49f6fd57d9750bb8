#!/usr/bin/env python3
"""Makes runtime/nn/tests/golden/gguf_blocks.json: rows of numbers and the bytes that the gguf package stores them as.

    pip install gguf numpy
    python3 tests/python/make_gguf_golden.py

`cargo test gguf` compares our bytes and what both read back.
"""
import json
from pathlib import Path

import gguf
import numpy as np

OUT = Path(__file__).parent.parent.parent / "runtime" / "nn" / "tests" / "golden" / "gguf_blocks.json"


def main():
    random = np.random.default_rng(7)
    rows = np.concatenate(
        [
            random.normal(0, 0.02, (3, 32)),
            random.normal(0, 30, (1, 32)),
            random.uniform(-1, 1, (1, 32)) ** 9,
            np.zeros((1, 32)),
            np.arange(-16, 16)[None] / 4,  # many ties in rounding
            np.where(np.arange(32) % 2 == 0, 1.5, -1.5)[None],  # two numbers are equally far from zero
        ]
    ).astype(np.float32)
    golden = {"made_by": "tests/python/make_gguf_golden.py", "values": [float(x) for x in rows.flatten()]}
    for name in ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"]:
        kind = gguf.GGMLQuantizationType[name]
        stored = gguf.quants.quantize(rows, kind)
        back = gguf.quants.dequantize(stored, kind)
        golden[name] = {"bytes": stored.tobytes().hex(), "back": [float(x) for x in back.flatten()]}
    OUT.write_text(json.dumps(golden) + "\n")
    print(OUT.name, len(rows), "rows")


if __name__ == "__main__":
    main()
