#!/usr/bin/env python3
"""Adapters under PEFT: the folder that llmp writes, and golden numbers for the folder that llmp reads.

    python3 tests/python/peft_parity.py --base FOLDER --adapter FOLDER --merged FOLDER
    python3 tests/python/peft_parity.py --golden runtime/nn/tests/golden/peft

The first form puts an adapter (`adapter/` beside the model of `quantize { recover = lora() }`) on its base, which is what
the same item gives without `recover`, and compares logits with those of the sum that llmp wrote, to 1e-4. The second
makes a tiny Llama with an adapter whose A and B are random, and the logits that PEFT computes with it; `cargo test
--workspace --test peft` reads them.
"""
import argparse
import json
from pathlib import Path

import peft
import torch
import transformers


def logits(model, vocab):
    ids = torch.tensor([[(i * 17 + 3) % vocab for i in range(24)]])
    with torch.no_grad():
        return model.eval()(ids).logits[0].float()


def compare(args):
    base = transformers.AutoModelForCausalLM.from_pretrained(args.base, dtype=torch.float32)
    plain = logits(base, base.config.vocab_size)
    ours = logits(peft.PeftModel.from_pretrained(base, args.adapter), base.config.vocab_size)
    merged = transformers.AutoModelForCausalLM.from_pretrained(args.merged, dtype=torch.float32)
    theirs = logits(merged, merged.config.vocab_size)
    apart, moved = (ours - theirs).abs().max().item(), (ours - plain).abs().max().item()
    print(f"PEFT {peft.__version__}: base with adapter and sum differ by {apart:.2e}; the adapter moves logits by {moved:.3f}")
    assert apart < 1e-4 and moved > 0, "not the same model"


def golden(folder):
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=32,
        initializer_range=0.3,
        tie_word_embeddings=True,
    )
    base = transformers.LlamaForCausalLM(config)
    base.save_pretrained(folder / "base")
    for name in ["generation_config.json"]:
        (folder / "base" / name).unlink(missing_ok=True)
    lora = peft.LoraConfig(r=3, lora_alpha=6, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(base, lora)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder / "adapter")
    (folder / "adapter" / "README.md").unlink(missing_ok=True)
    path = folder / "adapter" / "adapter_config.json"
    settings = json.loads(path.read_text())
    settings["base_model_name_or_path"] = None
    settings["target_modules"] = sorted(settings["target_modules"])
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    rows = [[round(x, 7) for x in row] for row in logits(model, 40).tolist()]
    (folder / "logits.json").write_text(json.dumps(rows) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--base", type=Path, help="the model that the adapter belongs to")
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--merged", type=Path, help="the sum that llmp wrote")
    parser.add_argument("--golden", type=Path, help="folder for golden numbers")
    args = parser.parse_args()
    if args.golden:
        golden(args.golden)
    else:
        compare(args)


if __name__ == "__main__":
    main()
