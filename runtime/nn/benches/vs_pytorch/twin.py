"""The same model and step in PyTorch: merged q k v and gate up, SDPA with grouped heads, fused AdamW.

Answers the same protocol as `main.rs`; `--compile` runs it under torch.compile.
"""

import argparse
import json
import sys
import time

import numpy
import torch
import torch.nn.functional as F
from safetensors.torch import load_file


class Block(torch.nn.Module):
    def __init__(self, c, config):
        super().__init__()
        get = lambda name: c[name]
        self.heads, self.kv, self.d = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
        self.eps = config["rms_norm_eps"]
        parameter = lambda *names: torch.nn.Parameter(torch.cat([get(n) for n in names]).contiguous())
        self.norm1 = parameter("input_layernorm.weight")
        self.qkv = parameter("self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight")
        self.out = parameter("self_attn.o_proj.weight")
        self.norm2 = parameter("post_attention_layernorm.weight")
        self.gate_up = parameter("mlp.gate_proj.weight", "mlp.up_proj.weight")
        self.down = parameter("mlp.down_proj.weight")

    def rotate(self, x, cos, sin):
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)

    def forward(self, x, cos, sin):
        b, t, c = x.shape
        h, k, d = self.heads, self.kv, self.d
        y = F.linear(F.rms_norm(x, (c,), self.norm1, self.eps), self.qkv).view(b, t, h + 2 * k, d).transpose(1, 2)
        q, key, value = y.split([h, k, k], dim=1)
        q, key = self.rotate(q, cos, sin), self.rotate(key, cos, sin)
        # autocast leaves the rotation in 32 bits; scaled dot products want one type
        q, key = q.to(value.dtype), key.to(value.dtype)
        y = F.scaled_dot_product_attention(q, key, value, is_causal=True, enable_gqa=True)
        x = x + F.linear(y.transpose(1, 2).reshape(b, t, h * d), self.out)
        gate, up = F.linear(F.rms_norm(x, (c,), self.norm2, self.eps), self.gate_up).chunk(2, dim=-1)
        return x + F.linear(F.silu(gate) * up, self.down)


class Decoder(torch.nn.Module):
    def __init__(self, folder):
        super().__init__()
        config = json.load(open(f"{folder}/config.json"))
        weights = load_file(f"{folder}/model.safetensors")
        weights = {name.removeprefix("model."): value.float() for name, value in weights.items()}
        self.eps, self.context = config["rms_norm_eps"], config["max_position_embeddings"]
        self.embedding = torch.nn.Parameter(weights["embed_tokens.weight"])
        layers = range(config["num_hidden_layers"])
        part = lambda i: {n.removeprefix(f"layers.{i}."): w for n, w in weights.items() if n.startswith(f"layers.{i}.")}
        self.blocks = torch.nn.ModuleList(Block(part(i), config) for i in layers)
        self.norm = torch.nn.Parameter(weights["norm.weight"])
        d = config["head_dim"]
        base = config.get("rope_theta") or config["rope_parameters"]["rope_theta"]
        angles = torch.outer(
            torch.arange(self.context, dtype=torch.float64),
            base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d),
        )
        self.register_buffer("cos", angles.cos().float())
        self.register_buffer("sin", angles.sin().float())

    def forward(self, inputs, targets):
        x = F.embedding(inputs, self.embedding)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        x = F.rms_norm(x, (x.shape[-1],), self.norm, self.eps)
        return F.cross_entropy(F.linear(x, self.embedding).flatten(0, 1), targets.flatten())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--precision", choices=["f32", "bf16"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    model = Decoder(arguments.folder)
    tokens = torch.from_numpy(numpy.fromfile(arguments.tokens, dtype="<u4").astype("int64"))
    matrices = [p for p in model.parameters() if p.ndim > 1]
    gains = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": gains, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, fused=True)
    rows, length = arguments.rows, model.context
    run = torch.compile(model) if arguments.compile else model

    def step(done):
        at = (torch.arange(rows * length + 1) + done * rows * length) % len(tokens)
        ids = tokens[at]
        inputs, targets = ids[:-1].view(rows, length), ids[1:].view(rows, length)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=arguments.precision == "bf16"):
            loss = run(inputs, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = 5e-4 * min((done + 1) / 100, 1)
        optimizer.step()
        return loss.item()

    done = 0
    print(json.dumps({"torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        seconds, losses = [], []
        for _ in range(int(line)):
            begin = time.perf_counter()
            losses.append(step(done))
            seconds.append(time.perf_counter() - begin)
            done += 1
        print(json.dumps({"seconds": seconds, "losses": losses}), flush=True)


if __name__ == "__main__":
    main()
