#!/usr/bin/env python3
"""Makes runtime/nn/tests/golden/families/*: tiny random models of many families, with the numbers of transformers.

    python3 tests/python/nn_families.py

Each golden is `NAME.json` (our settings, ids, documents, the loss, the losses of ten AdamW steps) and
`NAME.safetensors` (weights, logits and every gradient under our names, which are mapped by hand here: the loader's
own table is on trial elsewhere). Every bias and gain is perturbed; weights are scaled until attention scores reach
about 40 and logits about 25, so that switching off any feature turns the test red. The first row is one document
longer than every window, the second holds three. transformers makes its own masks for both, but for the
families of RUN_ON.
"""
import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parents[2] / "runtime/nn/tests/golden/families"
VOCAB, LENGTH, STARTS = 37, 28, (0, 9, 21)
CONTEXT = 32
SIZES = {
    "vocab_size": VOCAB, "hidden_size": 12, "intermediate_size": 10, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 4, "max_position_embeddings": CONTEXT, "rms_norm_eps": 1e-3,
    "tie_word_embeddings": False, "attn_implementation": "eager", "pad_token_id": None,
    "bos_token_id": None, "eos_token_id": None,
}
SPEC = {
    "vocab": VOCAB, "layers": 2, "width": 12, "heads": 4, "kv_heads": 2, "head_dim": 4,
    "ffn": {"activation": "silu", "gated": True, "hidden": 10}, "experts": None,
    "norm": {"rms": True, "bias": False, "offset": False, "eps": 1e-3}, "norm_place": "pre",
    "qk_norm": None, "qk_norm_place": "before", "order": None, "qkv_bias": False, "bias": False, "pattern": ["global"],
    "score_scale": None, "attention_cap": None, "logit_cap": None, "embedding_scale": None,
    "tied": False, "dropout": 0.0, "context": CONTEXT, "init_std": 0.02,
}


def rope(base, stretch="none"):
    return {"rotary": {"base": base, "stretch": stretch, "chunks": None}}


def plain(base):
    return {"rope_parameters": {"rope_type": "default", "rope_theta": base}}


LLAMA3 = {"factor": 8.0, "low": 1.0, "high": 4.0, "original": 16}
YARN = {"factor": 4.0, "original": 16, "fast": 8.0, "slow": 1.0, "attention": 1.25}
RMS = SPEC["norm"]
CASES = {
    "llama3": (
        transformers.LlamaConfig, transformers.LlamaForCausalLM,
        {"rope_parameters": {"rope_type": "llama3", "rope_theta": 100.0, "factor": 8.0, "low_freq_factor": 1.0,
                             "high_freq_factor": 4.0, "original_max_position_embeddings": 16}},
        {"order": rope(100.0, {"llama3": LLAMA3})},
    ),
    "yarn": (
        transformers.LlamaConfig, transformers.LlamaForCausalLM,
        {"head_dim": 8,
         "rope_parameters": {"rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0, "beta_fast": 8.0, "beta_slow": 1.0,
                             "attention_factor": 1.25, "original_max_position_embeddings": 16}},
        {"head_dim": 8, "order": rope(100.0, {"yarn": YARN})},
    ),
    "mistral": (
        transformers.MistralConfig, transformers.MistralForCausalLM,
        {**plain(500.0), "sliding_window": 7},
        {"order": rope(500.0), "pattern": [{"window": 7}]},
    ),
    "qwen2": (
        transformers.Qwen2Config, transformers.Qwen2ForCausalLM,
        {**plain(500.0), "tie_word_embeddings": True},
        {"order": rope(500.0), "qkv_bias": True, "tied": True},
    ),
    "qwen3": (
        transformers.Qwen3Config, transformers.Qwen3ForCausalLM,
        plain(500.0), {"order": rope(500.0), "qk_norm": RMS, "qk_norm_place": "before"},
    ),
    "hunyuan": (
        transformers.HunYuanDenseV1Config, transformers.HunYuanDenseV1ForCausalLM,
        plain(500.0), {"order": rope(500.0), "qk_norm": RMS, "qk_norm_place": "after"},
    ),
    "smollm3": (
        transformers.SmolLM3Config, transformers.SmolLM3ForCausalLM,
        {**plain(500.0), "no_rope_layers": [1, 0]},
        {"order": rope(500.0), "pattern": ["global", "global_without_order"]},
    ),
    "arcee": (
        transformers.ArceeConfig, transformers.ArceeForCausalLM,
        {**plain(500.0), "hidden_act": "relu2"},
        {"order": rope(500.0), "ffn": {"activation": "relu2", "gated": False, "hidden": 10}},
    ),
    "gemma2": (
        transformers.Gemma2Config, transformers.Gemma2ForCausalLM,
        {**plain(10_000.0), "tie_word_embeddings": True, "sliding_window": 7, "query_pre_attn_scalar": 6,
         "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
         "layer_types": ["sliding_attention", "full_attention"], "hidden_activation": "gelu_pytorch_tanh"},
        {"order": rope(10_000.0), "tied": True, "pattern": [{"window": 7}, "global"], "score_scale": 6**-0.5,
         "attention_cap": 50.0, "logit_cap": 30.0, "embedding_scale": 12**0.5, "norm": {**RMS, "offset": True},
         "norm_place": "sandwich", "ffn": {"activation": "gelu_tanh", "gated": True, "hidden": 10}},
    ),
    "gpt2": (
        transformers.GPT2Config, transformers.GPT2LMHeadModel,
        {"n_embd": 12, "n_layer": 2, "n_head": 4, "n_inner": 10, "n_positions": CONTEXT, "layer_norm_epsilon": 1e-3,
         "activation_function": "gelu_new", "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
         "tie_word_embeddings": True},
        {"order": "table", "tied": True, "kv_heads": 4, "head_dim": 3, "bias": True,
         "norm": {"rms": False, "bias": True, "offset": False, "eps": 1e-3},
         "ffn": {"activation": "gelu_tanh", "gated": False, "hidden": 10}},
    ),
}

# Positions run on across documents, and these models do not see them by differences only: their mask is given.
RUN_ON = {"gpt2", "hunyuan"}

PAIRS = [
    ("model.embed_tokens", "embedding"), ("lm_head", "head"), ("model.layers", "blocks"), ("model.norm", "norm"),
    ("self_attn.q_proj", "attention.q"), ("self_attn.k_proj", "attention.k"), ("self_attn.v_proj", "attention.v"),
    ("self_attn.o_proj", "attention.o"), ("self_attn.query_layernorm", "attention.q_norm"),
    ("self_attn.key_layernorm", "attention.k_norm"), ("self_attn.q_norm", "attention.q_norm"),
    ("self_attn.k_norm", "attention.k_norm"), ("input_layernorm", "attention.norm"),
    ("pre_feedforward_layernorm", "ffn.norm"), ("post_feedforward_layernorm", "ffn.post_norm"),
    ("post_attention_layernorm", "ffn.norm"), ("mlp.gate_proj", "ffn.gate"), ("mlp.up_proj", "ffn.up"),
    ("mlp.down_proj", "ffn.down"), ("transformer.wte", "embedding"), ("transformer.wpe", "positions"),
    ("transformer.h.", "blocks."), ("transformer.ln_f", "norm"), ("attn.c_attn", "attention.qkv"),
    ("attn.c_proj", "attention.o"), ("mlp.c_fc", "ffn.up"), ("mlp.c_proj", "ffn.down"), (".ln_1", ".attention.norm"),
    (".ln_2", ".ffn.norm"),
]


def ours(name, family, values):
    """Our names and tensors of one tensor of transformers."""
    if family == "gemma2":
        name = name.replace("post_attention_layernorm", "attention.post_norm")
    for theirs, our in PAIRS:
        name = name.replace(theirs, our)
    name = name[: -len(".weight")] if name.endswith(".weight") else name
    if family == "gpt2" and values.dim() == 2 and name.startswith("blocks"):
        values = values.T
    if "attention.qkv" in name:
        parts = values.chunk(3, 0)
        return {name.replace("qkv", part): values.contiguous() for part, values in zip("qkv", parts)}
    return {name: values.contiguous()}


def rows(seed):
    """Ids, targets (-100 where none counts) and the starts of documents, of two rows."""
    ids = torch.randint(0, VOCAB, (2, LENGTH + 1), generator=torch.Generator().manual_seed(seed))
    inputs, targets = ids[:, :-1], ids[:, 1:].clone()
    starts = torch.zeros(2, LENGTH, dtype=torch.long)
    for at in STARTS:
        starts[1, at:] = at
        if at:
            targets[1, at - 1] = -100
    return inputs, targets, starts


def logits_of(model, family, inputs, starts):
    whole = model(input_ids=inputs[:1], use_cache=False).logits
    at = torch.arange(LENGTH)
    if family in RUN_ON:
        seen = (at[None] <= at[:, None]) & (at[None] >= starts[1][:, None])
        mask = torch.where(seen, 0.0, torch.finfo(torch.float32).min)[None, None]
        return torch.cat([whole, model(input_ids=inputs[1:], attention_mask=mask, use_cache=False).logits])
    packed = model(input_ids=inputs[1:], position_ids=(at - starts[1])[None], use_cache=False).logits
    alone = [model(input_ids=inputs[1:, a:b], use_cache=False).logits for a, b in zip(STARTS, [*STARTS[1:], LENGTH])]
    assert torch.allclose(packed, torch.cat(alone, 1), atol=1e-3), f"{family}: documents are not kept apart"
    return torch.cat([whole, packed])


def loss_of(model, family, batch):
    inputs, targets, starts = batch
    logits = logits_of(model, family, inputs, starts)
    return logits, torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


class Scores:
    """Largest score that each softmax of attention saw."""

    def __enter__(self):
        self.seen, self.real = [], torch.nn.functional.softmax

        def softmax(x, *args, **kwargs):
            self.seen.append(x.detach()[x > -1e4].abs().max().item())
            return self.real(x, *args, **kwargs)

        torch.nn.functional.softmax = softmax
        return self

    def __exit__(self, *_):
        torch.nn.functional.softmax = self.real


def calibrate(model, family, batch, layers):
    """Scores near 40 in every layer, then logits near 25."""
    offset = family == "gemma2"
    with torch.no_grad():
        for _ in range(12):
            with Scores() as scores:
                model(input_ids=batch[0][:1], use_cache=False)
            for layer, seen in zip(layers, scores.seen):
                # A cap of 50 is near its end at 40: what goes in is scaled.
                want = 50.0 * torch.atanh(torch.tensor(40.0 / 50)).item() if offset else 40.0
                seen = 50.0 * torch.atanh(torch.tensor(min(seen, 49.9) / 50)).item() if offset else seen
                factor = max(0.3, min(3.0, want / seen))
                for key, p in layer.named_parameters():
                    if "c_attn" in key:
                        p[..., : p.shape[-1] // 3] *= factor
                    elif "q_norm" in key or "query_layernorm" in key:
                        p *= factor
                    elif "q_proj" in key and not any("q_norm" in k or "query_layernorm" in k for k, _ in layer.named_parameters()):
                        p *= factor
        top = model(input_ids=batch[0][:1], use_cache=False).logits.abs().max().item()
        want = 25.0
        if offset:
            top, want = 30.0 * torch.atanh(torch.tensor(top / 30)).item(), 30.0 * torch.atanh(torch.tensor(25.0 / 30)).item()
        final = model.transformer.ln_f if family == "gpt2" else model.model.norm
        for p in final.parameters():
            p.copy_((1 + p) * want / top - 1 if offset else p * want / top)


def make(family, seed):
    config_class, model_class, changes, spec = CASES[family]
    torch.manual_seed(seed)
    sizes = {**SIZES, **changes}
    model = model_class(config_class(**sizes)).float().eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.add_(torch.randn_like(p) * (0.5 if p.dim() == 1 else 0.6))
    layers = model.transformer.h if family == "gpt2" else model.model.layers
    batch = rows(seed)
    calibrate(model, family, batch, layers)
    with Scores() as scores:
        logits, loss = loss_of(model, family, batch)
    loss.backward()
    tensors = {"logits": logits.detach().contiguous()}
    params = list(model.named_parameters())
    for key, p in params:
        tensors.update({f"weights/{k}": v.clone() for k, v in ours(key, family, p.detach()).items()})
        tensors.update({f"grads/{k}": v.clone() for k, v in ours(key, family, p.grad).items()})
    decayed, others = [p for _, p in params if p.dim() > 1], [p for _, p in params if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        step = loss_of(model, family, batch)[1]
        step.backward()
        losses.append(step.item())
        optimizer.step()
    losses.append(loss_of(model, family, batch)[1].item())
    inputs, targets, starts = batch
    golden = {
        "made_with": {"torch": torch.__version__, "transformers": transformers.__version__},
        "spec": {**SPEC, **spec},
        "length": LENGTH,
        "inputs": inputs.flatten().tolist(),
        "targets": [4294967295 if t < 0 else t for t in targets.flatten().tolist()],
        "doc_start": starts.flatten().tolist(),
        "loss": loss.item(),
        "losses": losses,
    }
    HERE.mkdir(parents=True, exist_ok=True)
    save_file(tensors, HERE / f"{family}.safetensors")
    (HERE / f"{family}.json").write_text(json.dumps(golden, indent=1) + "\n")
    print(f"{family}: loss {loss.item():.4f} to {losses[-1]:.4f}, scores {max(scores.seen):.1f}, "
          f"logits {logits.abs().max().item():.1f}")


if __name__ == "__main__":
    for number, name in enumerate(CASES):
        make(name, 11 + number)
