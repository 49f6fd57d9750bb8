#!/usr/bin/env python3
"""Makes tests/golden/shapes/*.json: names and shapes of the parameters of published models, by transformers.

    python3 tests/python/meta_shapes.py

Every model is built on the meta device from the numbers below (recipes of the four papers, and GPT-2), so no weight is
read or allocated. A golden file holds, for each size, the numbers it was built from, the number of parameters, what
stands once, and what stands in each layer (all layers are alike; the script checks it). Keys of `state_dict` that are
another parameter under a second name, as a tied head is, stand under `tied`.
"""
import json
from pathlib import Path

import torch
import transformers

LLAMA = {"rms_norm_eps": 1e-5, "vocab_size": 128256, "num_key_value_heads": 8, "tie_word_embeddings": False}
QWEN2 = {"rms_norm_eps": 1e-6}
GEMMA2 = {"vocab_size": 256000, "tie_word_embeddings": True}
MODELS = {
    "llama": {
        "8B": {**LLAMA, "num_hidden_layers": 32, "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32},
        "70B": {**LLAMA, "num_hidden_layers": 80, "hidden_size": 8192, "intermediate_size": 28672, "num_attention_heads": 64},
        "405B": {**LLAMA, "num_hidden_layers": 126, "hidden_size": 16384, "intermediate_size": 53248, "num_attention_heads": 128},
    },
    "qwen2": {
        "0.5B": {**QWEN2, "num_hidden_layers": 24, "hidden_size": 896, "intermediate_size": 4864, "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True},
        "1.5B": {**QWEN2, "num_hidden_layers": 28, "hidden_size": 1536, "intermediate_size": 8960, "num_attention_heads": 12, "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True},
        "7B": {**QWEN2, "num_hidden_layers": 28, "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064, "tie_word_embeddings": False},
        "72B": {**QWEN2, "num_hidden_layers": 80, "hidden_size": 8192, "intermediate_size": 29568, "num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 152064, "tie_word_embeddings": False},
    },
    "qwen2_moe": {
        "57B-A14B": {**QWEN2, "num_hidden_layers": 28, "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 151936, "tie_word_embeddings": False, "num_experts": 64, "num_experts_per_tok": 8, "moe_intermediate_size": 2560, "shared_expert_intermediate_size": 20480, "norm_topk_prob": False, "decoder_sparse_step": 1},
    },
    "gemma2": {
        "2B": {**GEMMA2, "num_hidden_layers": 26, "hidden_size": 2304, "intermediate_size": 9216, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "query_pre_attn_scalar": 256},
        "9B": {**GEMMA2, "num_hidden_layers": 42, "hidden_size": 3584, "intermediate_size": 14336, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256, "query_pre_attn_scalar": 256},
        "27B": {**GEMMA2, "num_hidden_layers": 46, "hidden_size": 4608, "intermediate_size": 36864, "num_attention_heads": 32, "num_key_value_heads": 16, "head_dim": 128, "query_pre_attn_scalar": 144},
    },
    "gpt2": {
        "124M": {"vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12, "tie_word_embeddings": True},
    },
}
CLASSES = {
    "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM, "model.layers."),
    "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM, "model.layers."),
    "qwen2_moe": (transformers.Qwen2MoeConfig, transformers.Qwen2MoeForCausalLM, "model.layers."),
    "gemma2": (transformers.Gemma2Config, transformers.Gemma2ForCausalLM, "model.layers."),
    "gpt2": (transformers.GPT2Config, transformers.GPT2LMHeadModel, "transformer.h."),
}


def shapes(family, numbers):
    config_class, model_class, prefix = CLASSES[family]
    with torch.device("meta"):
        model = model_class(config_class(**numbers))
    model.tie_weights()
    parameters = {name: list(p.shape) for name, p in model.named_parameters()}
    state = {name: list(p.shape) for name, p in model.state_dict().items()}
    assert all(state[name] == shape for name, shape in parameters.items())
    once, layers = {}, {}
    for name, shape in parameters.items():
        if not name.startswith(prefix):
            once[name] = shape
            continue
        index, leaf = name[len(prefix):].split(".", 1)
        layers.setdefault(int(index), {})[f"{prefix}{{}}.{leaf}"] = shape
    assert all(layer == layers[0] for layer in layers.values()), "layers differ"
    return {
        "config": numbers,
        "parameters": sum(p.numel() for p in model.parameters()),
        "layers": len(layers),
        "once": once,
        "layer": layers[0],
        "tied": sorted(set(state) - set(parameters)),
    }


def main():
    folder = Path(__file__).parent.parent / "golden" / "shapes"
    folder.mkdir(parents=True, exist_ok=True)
    for family, sizes in MODELS.items():
        golden = {"transformers": transformers.__version__, "sizes": {}}
        for size, numbers in sizes.items():
            golden["sizes"][size] = shapes(family, numbers)
            print(family, size, f"{golden['sizes'][size]['parameters']:,}")
        (folder / f"{family}.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
