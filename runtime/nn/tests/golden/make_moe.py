"""Makes the golden numbers of tests/moe.rs with transformers' Qwen2MoeForCausalLM.

    python -m venv venv && venv/bin/pip install torch transformers safetensors numpy
    venv/bin/python runtime/nn/tests/golden/make_moe.py

Two tiny models with every weight, gain and bias perturbed, one with renormalised probabilities: loss, logits and every
gradient, of the loss alone and with the loss that balances the experts.
"""

import json
import pathlib

import torch
import transformers

HERE = pathlib.Path(__file__).parent
COEFFICIENT = 0.5  # large, so that its gradient shows


def make(name, renormalise, active, seed):
    torch.manual_seed(seed)
    config = transformers.Qwen2MoeConfig(
        vocab_size=37,
        hidden_size=16,
        intermediate_size=10,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32,
        rms_norm_eps=1e-5,
        num_experts=5,
        num_experts_per_tok=active,
        moe_intermediate_size=8,
        shared_expert_intermediate_size=12,
        norm_topk_prob=renormalise,
        router_aux_loss_coef=COEFFICIENT,
        attn_implementation="eager",
    )
    model = transformers.Qwen2MoeForCausalLM(config).float().eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.add_(torch.randn_like(p) * (0.5 if p.dim() == 1 else 0.7))
            if key in ("lm_head.weight", "model.norm.weight"):
                p.mul_(2.0)
    ids = torch.randint(0, 37, (1, 20))
    folder = HERE / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    golden = {
        "made_with": {"torch": torch.__version__, "transformers": transformers.__version__},
        "ids": ids[0].tolist(),
    }
    for kind in ["plain", "balanced"]:
        model.zero_grad()
        if kind == "balanced":
            inputs = model(input_ids=ids[:, :-1], output_router_logits=True)
            aux = transformers.models.qwen2_moe.modeling_qwen2_moe.load_balancing_loss_func(
                inputs.router_logits, config.num_experts, active
            )
            loss = torch.nn.functional.cross_entropy(inputs.logits[0], ids[0, 1:]) + COEFFICIENT * aux
            golden["balance"] = aux.item()
        else:
            inputs = model(input_ids=ids[:, :-1])
            loss = torch.nn.functional.cross_entropy(inputs.logits[0], ids[0, 1:])
            golden["logits"] = [[round(x, 6) for x in row] for row in inputs.logits[0].tolist()]
            golden["loss"] = loss.item()
        loss.backward()
        keep = lambda key: kind == "plain" or "mlp.gate." in key or "layernorm" in key
        grads = {key: p.grad.flatten().tolist() for key, p in model.named_parameters() if keep(key)}
        golden[kind] = {key: [float(f"{x:.6g}") for x in grad] for key, grad in grads.items()}
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")
    largest = max(abs(x) for row in golden["logits"] for x in row)
    print(name, "loss", golden["loss"], "balance", golden["balance"], "largest logit", largest)
    return model


if __name__ == "__main__":
    make("moe", False, 2, seed=11)
    make("moe_renormalised", True, 3, seed=12)
