"""Makes the golden numbers of tests/golden.rs with transformers' LlamaForCausalLM.

    python -m venv venv && venv/bin/pip install torch transformers safetensors numpy
    venv/bin/python runtime/nn/tests/golden/make_llama.py

Two tiny models with every weight and gain perturbed, scores near +-40 and logits near +-25, so that leaving out any
part of the model (a gain, the rotation, the scale, the causal mask, the grouping, the gate) turns the test red.
"""

import json
import pathlib

import torch
import transformers
from transformers.models.llama import modeling_llama

HERE = pathlib.Path(__file__).parent


def extremes(attention, kwargs):
    """Smallest and largest causal score, rotated and scaled, before the softmax."""
    x, (cos, sin) = kwargs["hidden_states"], kwargs["position_embeddings"]
    heads = lambda y: y.view(*y.shape[:-1], -1, attention.head_dim).transpose(1, 2)
    q, k = heads(attention.q_proj(x)), heads(attention.k_proj(x))
    q, k = modeling_llama.apply_rotary_pos_emb(q, k, cos, sin)
    k = k.repeat_interleave(attention.num_key_value_groups, 1)
    scores = (q @ k.transpose(2, 3) * attention.scaling)[:, :, *torch.tril_indices(x.shape[1], x.shape[1])]
    return scores.min().item(), scores.max().item()


def make(name, tied, heads, kv_heads, head_dim, theta, eps, seed):
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=37,
        hidden_size=12,
        intermediate_size=10,
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        max_position_embeddings=32,
        rms_norm_eps=eps,
        rope_theta=theta,
        rope_parameters={"rope_type": "default", "rope_theta": theta},
        tie_word_embeddings=tied,
        hidden_act="silu",
        attn_implementation="eager",
    )
    model = transformers.LlamaForCausalLM(config).float()
    with torch.no_grad():
        for key, p in model.named_parameters():
            scale = 0.5 if p.dim() == 1 else 1.0
            p.add_(torch.randn_like(p) * scale)
            if "q_proj" in key or "k_proj" in key:
                p.mul_(0.9)
            if key in ("lm_head.weight", "model.norm.weight"):
                p.mul_(1.5)
    ids = torch.randint(0, 37, (1, 20))
    # The rotation must have run with the base above, whatever the version of transformers calls it.
    want = 1.0 / theta ** (torch.arange(0, head_dim, 2).double() / head_dim)
    assert torch.allclose(model.model.rotary_emb.inv_freq.double(), want), "the rotary base was not taken"
    folder = HERE / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    scores = []

    for layer in model.model.layers:
        a = layer.self_attn
        a.register_forward_hook(lambda a, args, kwargs, out: scores.append(extremes(a, kwargs)), with_kwargs=True)
    logits = model(input_ids=ids).logits[0]
    loss = torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:])
    loss.backward()
    logprobs = torch.log_softmax(logits[:-1].double(), -1).gather(1, ids[0, 1:, None])[:, 0]
    grads = {key: p.grad.flatten().tolist() for key, p in model.named_parameters()}
    golden = {
        "made_with": {"torch": torch.__version__, "transformers": transformers.__version__},
        "ids": ids[0].tolist(),
        "loss": loss.item(),
        "logprobs": logprobs.tolist(),
        "logits": [[round(x, 6) for x in row] for row in logits.tolist()],
        "grads": {k: [float(f"{x:.7g}") for x in v] for k, v in grads.items()},
    }
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    print(name, "scores", *(f"{low:.0f} to {high:.0f}" for low, high in scores))
    print(name, "loss", loss.item(), "largest logit", logits.abs().max().item())


if __name__ == "__main__":
    make("tied_gqa", True, heads=4, kv_heads=2, head_dim=4, theta=10000.0, eps=1e-5, seed=1)
    make("untied_mha", False, heads=3, kv_heads=3, head_dim=4, theta=500.0, eps=1e-2, seed=2)
