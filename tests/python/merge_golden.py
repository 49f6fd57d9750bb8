#!/usr/bin/env python3
"""Golden merges: a tiny Llama and four models trained from it, merged by mergekit in float32.

    python3 tests/python/merge_golden.py runtime/train/tests/golden/merging

`cargo test --workspace --test merging` makes the same merges and compares every tensor to 1e-6. The models are: `a` and `b`
far from the base, `c` near `a` (slerp goes straight there), `d` whose changes have other signs. DARE draws its own mask,
so of it only the mean over masks can be compared: the golden file is mergekit's task arithmetic with the same weights.
"""
import argparse
import json
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch
import transformers
import yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import MergeOptions, run_merge
from mergekit.merge_methods.nuslerp import nuslerp
from safetensors.torch import load_file, save_file

def models(folder):
    torch.manual_seed(7)
    config = transformers.LlamaConfig(
        vocab_size=16,
        hidden_size=8,
        intermediate_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=4,
        max_position_embeddings=16,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    base = transformers.LlamaForCausalLM(config)
    for parameter in base.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    weights = {name: tensor.clone() for name, tensor in base.state_dict().items() if name != "lm_head.weight"}
    apart = {"a": ("base", 0.2), "b": ("base", 0.3), "c": ("a", 0.002), "d": ("base", 0.1)}
    all_weights = {"base": weights}
    for name, (start, std) in apart.items():
        start = all_weights[start]
        all_weights[name] = {n: t + std * torch.randn_like(t) for n, t in start.items()}
    for name, weights in all_weights.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        save_file(weights, folder / name / "model.safetensors", metadata={"format": "pt"})
        config.architectures = ["LlamaForCausalLM"]
        config.torch_dtype = "float32"
        config.save_pretrained(folder / name)


def merged(folder, name, method, entries, base=None, parameters=None):
    """Runs mergekit and keeps the tensors."""
    config = {
        "merge_method": method,
        "models": [{"model": str(folder / m), "parameters": p} for m, p in entries],
        "dtype": "float32",
        "parameters": parameters or {},
    }
    if base is not None:
        config["base_model"] = str(folder / base)
    with tempfile.TemporaryDirectory() as out:
        settings = MergeConfiguration.model_validate(yaml.safe_load(yaml.safe_dump(config)))
        run_merge(settings, out, options=MergeOptions(copy_tokenizer=False, write_model_card=False))
        weights = {}
        for path in sorted(Path(out).glob("*.safetensors")):
            weights.update(load_file(path))
    weights.pop("lm_head.weight", None)
    (folder / "merged").mkdir(exist_ok=True)
    save_file(weights, folder / "merged" / f"{name}.safetensors")
    return weights


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    shutil.rmtree(folder, ignore_errors=True)
    models(folder)
    weight = lambda **w: [(m, {"weight": x}) for m, x in w.items()]
    merged(folder, "linear", "linear", weight(a=1.0, b=2.0, d=0.5))
    merged(folder, "slerp", "slerp", weight(a=1.0, b=1.0), base="a", parameters={"t": 0.3})
    merged(folder, "slerp_near", "slerp", weight(a=1.0, c=1.0), base="a", parameters={"t": 0.25})
    merged(folder, "slerp_base", "nuslerp", weight(a=0.7, b=0.3), base="base")
    merged(folder, "task_arithmetic", "task_arithmetic", weight(a=0.4, b=-0.3, d=1.0), base="base")
    dense = lambda density, **w: [(m, {"weight": x, "density": density}) for m, x in w.items()]
    merged(folder, "ties", "ties", dense(0.2, a=1.0, b=1.0, d=1.0), base="base")
    merged(folder, "ties_weighted", "ties", dense(0.55, a=1.0, b=0.5, d=2.0), base="base")
    merged(folder, "dare_mean", "task_arithmetic", weight(a=0.5, b=0.5), base="base")
    # WARP of two models: the arc between their task vectors, then a part of the way.
    half = merged(folder, "warp", "nuslerp", weight(a=0.5, b=0.5), base="base")
    base = load_file(folder / "base" / "model.safetensors")
    way = {n: base[n] + 0.3 * (half[n] - base[n]) for n in half}
    save_file(way, folder / "merged" / "warp.safetensors")
    # Of three models the third is taken in by a third of the arc.
    a, b, d = ({n: t - base[n] for n, t in load_file(folder / m / "model.safetensors").items()} for m in "abd")
    two = {n: nuslerp(1 / 2, a[n], b[n], flatten=True) for n in base}
    three = {n: base[n] + nuslerp(1 / 3, two[n], d[n], flatten=True) for n in base}
    save_file(three, folder / "merged" / "warp_three.safetensors")
    versions = {"mergekit": version("mergekit"), "torch": torch.__version__, "transformers": transformers.__version__}
    (folder / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    main()
