"""Ten optimizer steps of a tiny Llama with PyTorch and transformers: the golden of tests/golden.rs.

Run: python training.py > training.json   (torch 2.15, transformers 5.23)
"""

import json
import math

import torch
from transformers import LlamaConfig, LlamaForCausalLM

TEXT = (
    "the quick brown fox jumps over the lazy dog while a small bird sings in the old tree near the river; "
    "two and two make four, he said"
)
CONTEXT, STEPS, PEAK, WARMUP, FLOOR, CLIP = 32, 10, 1e-2, 3, 0.1, 0.4
# Far above the usual 1e-8: gradients near zero would turn rounding errors into whole steps.
EPS = 1e-3
LEAVES = [
    ("attention.norm", "input_layernorm"),
    ("attention.q", "self_attn.q_proj"),
    ("attention.k", "self_attn.k_proj"),
    ("attention.v", "self_attn.v_proj"),
    ("attention.o", "self_attn.o_proj"),
    ("ffn.norm", "post_attention_layernorm"),
    ("ffn.gate", "mlp.gate_proj"),
    ("ffn.up", "mlp.up_proj"),
    ("ffn.down", "mlp.down_proj"),
]


def names(layers):
    yield "embedding", "model.embed_tokens.weight"
    for block in range(layers):
        for ours, theirs in LEAVES:
            yield f"blocks.{block}.{ours}", f"model.layers.{block}.{theirs}.weight"
    yield "norm", "model.norm.weight"


def rate(done):
    if done < WARMUP:
        return PEAK * (done + 1) / WARMUP
    progress = min(1.0, (done - WARMUP) / (STEPS - WARMUP))
    return PEAK * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * progress)))


def main():
    tokens = list(TEXT.encode())[: 4 * CONTEXT - 1] + [256]
    assert len(tokens) == 4 * CONTEXT, len(tokens)
    tokens.append(tokens[0])
    config = LlamaConfig(
        vocab_size=320, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, rms_norm_eps=1e-5, max_position_embeddings=CONTEXT,
        tie_word_embeddings=True, attn_implementation="eager",
    )
    model = LlamaForCausalLM(config).double().train()
    parameters = dict(model.named_parameters())
    order = [(ours, parameters[theirs]) for ours, theirs in names(2)]
    with torch.no_grad():
        for index, (_, p) in enumerate(order):
            wave = torch.sin(0.37 * torch.arange(p.numel(), dtype=torch.float64) + index).reshape(p.shape)
            p.copy_((1 + 0.1 * wave if p.dim() == 1 else 0.15 * wave).float())
    groups = [
        {"params": [p for _, p in order if p.dim() == 2], "weight_decay": 0.1},
        {"params": [p for _, p in order if p.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.95), eps=EPS)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    rows = torch.tensor([tokens[r * CONTEXT : (r + 1) * CONTEXT + 1] for r in range(4)])
    steps = []
    for _ in range(STEPS):
        logits = model(rows[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, 320), rows[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        steps.append({"loss": loss.item(), "norm": norm.item(), "lr": optimizer.param_groups[0]["lr"]})
        optimizer.step()
        schedule.step()
    weights = {ours: [round(x, 7) for x in p.detach().flatten()[:6].tolist()] for ours, p in order}
    print(json.dumps({"text": TEXT[: 4 * CONTEXT - 1], "clip": CLIP, "steps": steps, "weights": weights}, indent=1))


main()
