"""Loss and gradients of tuning on masked conversations, padded and packed, by TRL's collator and transformers in float64: the golden of
runtime/train/tests/tuning.rs.

Run: python tests/python/sft_step.py > runtime/train/tests/golden/sft_step.json   (torch 2.15, transformers 5.24, trl 1.16)

The model is the tiny Llama of runtime/train/tests/golden/training.py with sine waves for weights. Two micro-batches share the
count of targets, as TRL's trainer does (`num_items_in_batch`); packed, all conversations are one row with positions that begin again.
"""

import json

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

LEAVES = [
    ("attention.norm", "input_layernorm"), ("attention.q", "self_attn.q_proj"), ("attention.k", "self_attn.k_proj"),
    ("attention.v", "self_attn.v_proj"), ("attention.o", "self_attn.o_proj"), ("ffn.norm", "post_attention_layernorm"),
    ("ffn.gate", "mlp.gate_proj"), ("ffn.up", "mlp.up_proj"), ("ffn.down", "mlp.down_proj"),
]
# What is asked, what is said, asked and said again: only what is said counts, with the end of text (256) behind it.
CHATS = [
    [("Q2+2?A", False), ("4", True)],
    [("Qthe sky?A", False), ("blue", True), ("Qwhy?A", False), ("so", True)],
    [("Qa cat?A", False), ("meow meow", True)],
    [("Qwho?A", False), ("me", True)],
    [("Qrain?A", False), ("wet", True)],
]


def names(layers):
    yield "embedding", "model.embed_tokens.weight"
    for block in range(layers):
        for ours, theirs in LEAVES:
            yield f"blocks.{block}.{ours}", f"model.layers.{block}.{theirs}.weight"
    yield "norm", "model.norm.weight"


def example(turns):
    ids, labels, counted = [], [], []
    for text, said in turns:
        own = list(text.encode()) + ([256] if said else [])
        if said:
            counted.append([len(ids), len(ids) + len(own)])
        ids += own
        labels += own if said else [-100] * len(own)
    return {"input_ids": ids, "labels": labels}, counted


def backward(model, batches, count):
    model.zero_grad()
    loss = 0.0
    for batch in batches:
        batch = {k: v for k, v in batch.items() if k in ("input_ids", "labels", "attention_mask", "position_ids")}
        part = model(**batch, num_items_in_batch=torch.tensor(count)).loss
        part.backward()
        loss += part.item()
    return loss


def main():
    config = LlamaConfig(
        vocab_size=320, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, rms_norm_eps=1e-5, max_position_embeddings=96,
        tie_word_embeddings=True, attn_implementation="eager", use_cache=False,
    )
    model = LlamaForCausalLM(config).double().train()
    parameters = dict(model.named_parameters())
    order = [(ours, parameters[theirs]) for ours, theirs in names(2)]
    with torch.no_grad():
        for index, (_, p) in enumerate(order):
            wave = torch.sin(0.37 * torch.arange(p.numel(), dtype=torch.float64) + index).reshape(p.shape)
            p.copy_((1 + 0.1 * wave if p.dim() == 1 else 0.15 * wave).float())
    made = [example(turns) for turns in CHATS]
    examples = [e for e, _ in made]
    count = sum(b - a for _, spans in made for a, b in spans)
    packed = backward(model, [DataCollatorForLanguageModeling(0, padding_free=True)(examples)], count)
    packed_grads = {ours: p.grad.clone() for ours, p in order}
    collate = DataCollatorForLanguageModeling(0)
    loss = backward(model, [collate(examples[:3]), collate(examples[3:])], count)
    assert abs(loss - packed) < 1e-6, (loss, packed)
    assert all(torch.allclose(p.grad, packed_grads[ours], atol=1e-6) for ours, p in order)
    norm = torch.sqrt(sum((p.grad**2).sum() for _, p in order)).item()
    sample = lambda p: [round(x, 9) for x in p.grad.flatten()[:: max(1, p.numel() // 8)][:8].tolist()]
    print(json.dumps({
        "examples": [{"ids": e["input_ids"], "counted": spans} for e, spans in made],
        "loss": loss, "norm": norm, "grads": {ours: sample(p) for ours, p in order},
    }, indent=1))


main()
