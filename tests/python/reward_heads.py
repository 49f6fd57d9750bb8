#!/usr/bin/env python3
"""Reward models under transformers: golden scores for the folder that llmp reads, and the folder that llmp writes.

    python3 tests/python/reward_heads.py --golden runtime/nn/tests/golden/reward
    cargo test --workspace --test reward && python3 tests/python/reward_heads.py --check FOLDER

The first form makes tiny models with `score` heads and random gains, one with an untied head before, and their scores on
their last tokens. The second opens, as `AutoModelForSequenceClassification`, what the test saved (the folder `reward` in cargo's own for tests, below `target`), and compares its scores
with the golden ones to 1e-5; every text stands alone, since none of these models has a padding token.
"""
import argparse
import json
from pathlib import Path

import torch
import transformers

HERE = Path(__file__).resolve().parents[2] / "runtime/nn/tests/golden/reward"
TEXTS = [[(i * 17 + 3 * row) % 37 for i in range(n)] for row, n in enumerate([1, 9, 24, 9, 17])]
CASES = {
    "llama": (transformers.LlamaConfig, transformers.LlamaForSequenceClassification, {
        "vocab_size": 37, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 32}),
    "gpt2": (transformers.GPT2Config, transformers.GPT2ForSequenceClassification, {
        "vocab_size": 37, "n_embd": 12, "n_layer": 2, "n_head": 2, "n_inner": 20, "n_positions": 32}),
}


def scores(model):
    with torch.no_grad():
        return [model.eval()(torch.tensor([ids])).logits[0, 0].item() for ids in TEXTS]


def golden(folder):
    for seed, (name, (config, model, sizes)) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        made = model(config(**sizes, num_labels=1, initializer_range=0.3, pad_token_id=None, bos_token_id=None, eos_token_id=None))
        for parameter in made.parameters():
            if parameter.dim() == 1:
                torch.nn.init.normal_(parameter, mean=1.0, std=0.3)
        made.save_pretrained(folder / name)
        (folder / name / "scores.json").write_text(json.dumps({"texts": TEXTS, "scores": scores(made)}) + "\n")


def check(folder):
    for name in CASES:
        said = json.loads((HERE / name / "scores.json").read_text())
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder / name, dtype=torch.float32)
        apart = max(abs(a - b) for a, b in zip(said["scores"], scores(model)))
        print(f"{type(model).__name__}, transformers {transformers.__version__}: scores differ by {apart:.1e}")
        assert apart < 1e-5


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--golden", type=Path)
    parser.add_argument("--check", type=Path)
    args = parser.parse_args()
    if args.golden:
        golden(args.golden)
    if args.check:
        check(args.check)


if __name__ == "__main__":
    main()
