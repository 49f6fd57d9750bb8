#!/usr/bin/env python3
"""Makes runtime/train/tests/golden/losses.json: losses of post-training and their slopes, by TRL's own code where it has them.

    python3 tests/python/trl_losses.py

TRL's trainers are called below their data loading: their loss functions get log-probabilities of tokens that need a
gradient, in the place of a model. What TRL has not (IPO by sums, cDPO's smoothing with a reference, the NLL by sequence,
ranked and soft rewards, mirror descent) is written out in PyTorch. `cargo test --workspace --test losses` compares to 1e-4.
"""
import json
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F
import transformers
import trl
from trl.experimental.cpo.cpo_trainer import CPOTrainer
from trl.experimental.orpo.orpo_trainer import ORPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.reward_trainer import RewardTrainer
from trl.trainer.rloo_trainer import RLOOTrainer

OUT = Path(__file__).resolve().parents[2] / "runtime/train/tests/golden/losses.json"
# Tokens of the chosen and of the rejected answers of four pairs.
CHOSEN, REJECTED, PROMPT, WIDTH = (5, 9, 3, 7), (8, 4, 6, 7), 2, 10


class Accelerator:
    device, num_processes, sync_gradients = torch.device("cpu"), 1, True

    def gather(self, x):
        return x

    gather_for_metrics = gather

    def reduce(self, x, reduction):
        return x

    def unwrap_model(self, model):
        return model


def trainer(cls, **settings):
    """An instance that has what its loss asks for and nothing else."""
    it = cls.__new__(cls)
    for name, value in {
        "accelerator": Accelerator(), "_metrics": defaultdict(lambda: defaultdict(list)), "model": SimpleNamespace(training=True),
        "args": SimpleNamespace(gradient_checkpointing_kwargs=None, delta=None, use_bias_correction_kl=False,
                                center_rewards_coefficient=None, steps_per_generation=1),
        "aux_loss_enabled": False, "_total_train_tokens": 0, "_tp_size": 1, "precompute_ref_logps": True,
        **settings,
    }.items():
        object.__setattr__(it, name, value)
    return it


def says(logps):
    """A model whose head gives these log-probabilities."""
    zeros = torch.zeros_like(logps)
    out = SimpleNamespace(log_probs=logps, entropy=zeros, mean_logits=zeros, is_top1=zeros > 1, log_sum_sq_probs=zeros)
    return lambda **_: out


def mask(lengths):
    """One for the tokens of the answers, of sequences with a prompt before and padding behind."""
    return torch.tensor([[0] * PROMPT + [1] * n + [0] * (WIDTH - n) for n in lengths])


def draw(rows, scale, seed):
    generator = torch.Generator().manual_seed(seed)
    return -scale * torch.rand(rows, PROMPT + WIDTH - 1, generator=generator, dtype=torch.float64).float() - 0.01


def slopes(loss, logps, lengths):
    """The loss and its slope by the sum of log-probabilities of every answer; all tokens of an answer have the same."""
    (grad,) = torch.autograd.grad(loss, logps)
    own = mask(lengths)[:, 1:]
    found = []
    for row, m in zip(grad, own):
        these = row[m.bool()]
        assert (these - these[0]).abs().max() < 1e-6 and row[~m.bool()].abs().max() == 0
        found.append(these[0].item())
    return found


def preference():
    lengths = CHOSEN + REJECTED
    completion = mask(lengths)
    own = completion[:, 1:]
    # TRL's head gives 0 where a label is ignored.
    start = draw(8, 1.6, 1) * own
    reference = ((start + 0.4 * draw(8, 1.0, 2) + 0.2) * own).sum(1)
    inputs = {"input_ids": torch.ones_like(completion), "attention_mask": torch.ones_like(completion), "completion_mask": completion,
              "ref_chosen_logps": reference[:4], "ref_rejected_logps": reference[4:]}
    counts = own.sum(1).float()

    def of(settings, loss_of):
        logps = start.clone().requires_grad_(True)
        loss = loss_of(logps * own)
        return {**settings, "value": loss.item(), "slopes": slopes(loss, logps, lengths)}

    def dpo(kinds, weights, beta):
        def run(logps):
            it = trainer(DPOTrainer, ld_alpha=None, f_divergence_type="reverse_kl", loss_types=kinds, loss_weights=weights,
                         beta=beta, use_weighting=False)
            return it._compute_loss(says(logps), dict(inputs), False)
        return run

    def gains(logps):
        sums = logps.sum(1)
        return (sums - reference).chunk(2)

    def cdpo(logps):
        chosen, rejected = gains(logps)
        it = trainer(CPOTrainer, alpha=0.0, loss_type="sigmoid", beta=0.3, label_smoothing=0.1)
        return it.cpo_loss(chosen, rejected)[0].mean()

    def with_nll(logps):
        chosen, rejected = gains(logps)
        nll = -logps.sum(1)[:4] / counts[:4]
        return (-F.logsigmoid(0.1 * (chosen - rejected)) + 0.2 * nll).mean()

    def ipo_sums(logps):
        chosen, rejected = gains(logps)
        return ((chosen - rejected - 1 / (2 * 0.1)) ** 2).mean()

    def simpo(logps):
        means = logps.sum(1) / counts
        it = trainer(CPOTrainer, alpha=0.0, loss_type="simpo", beta=2.0, simpo_gamma=1.0, label_smoothing=0.0)
        return it.cpo_loss(*means.chunk(2))[0].mean()

    def orpo(logps):
        means = logps.sum(1) / counts
        it = trainer(ORPOTrainer, beta=0.25)
        return (-means[:4] - it.odds_ratio_loss(*means.chunk(2))[0]).mean()

    return {
        "logps": start.tolist(), "reference": reference.tolist(), "lengths": lengths, "prompt": PROMPT,
        "losses": [
            of({"loss": "dpo(beta = 0.1)"}, dpo(["sigmoid"], [1.0], 0.1)),
            of({"loss": "dpo(beta = 5, length = mean)"}, dpo(["sigmoid_norm"], [1.0], 5.0)),
            of({"loss": "dpo(beta = 0.3, smoothing = 0.1)"}, cdpo),
            of({"loss": "dpo(beta = 0.1, nll = 0.2, nll_per = token)"}, dpo(["sigmoid", "sft"], [1.0, 0.2], 0.1)),
            of({"loss": "dpo(beta = 0.1, nll = 0.2)"}, with_nll),
            of({"loss": "ipo(tau = 0.1, length = mean)"}, dpo(["ipo"], [1.0], 0.1)),
            of({"loss": "ipo(tau = 0.1)"}, ipo_sums),
            of({"loss": "hinge(beta = 0.4)"}, dpo(["hinge"], [1.0], 0.4)),
            of({"loss": "simpo(beta = 2, gamma = 1)"}, simpo),
            of({"loss": "orpo(weight = 0.25)"}, orpo),
        ],
    }


def kto():
    lengths, wanted = CHOSEN + REJECTED, [True, False, True, True, False, True, False, False]
    completion = mask(lengths)
    own = completion[:, 1:]
    start = draw(8, 1.2, 3) * own
    reference = (start * 0.9).sum(1)
    kl, kl_reference = draw(8, 1.0, 4).sum(1), draw(8, 1.1, 5).sum(1)
    inputs = {"input_ids": torch.ones_like(completion), "attention_mask": torch.ones_like(completion), "completion_mask": completion,
              "label": torch.tensor(wanted), "ref_logps": reference, "ref_KL_logps": kl_reference}
    it = trainer(KTOTrainer, calculate_KL=True, loss_type="kto", beta=0.2, desirable_weight=1.3, undesirable_weight=0.8)
    it._compute_kl_logps = lambda model, batch: kl
    logps = start.clone().requires_grad_(True)
    loss = it._compute_loss(says(logps * own), inputs, False)
    return {"logps": start.sum(1).tolist(), "reference": reference.tolist(), "mismatched": kl.tolist(), "mismatched_reference": kl_reference.tolist(),
            "wanted": wanted, "beta": 0.2, "weights": [1.3, 0.8], "value": loss.item(), "slopes": slopes(loss, logps, lengths)}


def rewards():
    chosen = torch.tensor([0.3, -1.2, 2.0, 0.4])
    rejected = torch.tensor([0.9, -1.5, 0.1, 0.4])
    edited = torch.tensor([0.7, 0.2, 1.1, -0.3])
    margin = torch.tensor([1.0, 2 / 3, 1 / 3, 0.0])

    def of(loss_of, *parts):
        parts = [part.clone().requires_grad_(True) for part in parts]
        loss = loss_of(*parts)
        return {"value": loss.item(), "slopes": [g.tolist() for g in torch.autograd.grad(loss, parts)]}

    def bradley_terry(margin):
        def run(chosen, rejected):
            it = trainer(RewardTrainer)
            model = lambda **_: SimpleNamespace(logits=torch.cat([chosen, rejected])[:, None])
            inputs = {"attention_mask": torch.ones(8, 1), **({} if margin is None else {"margin": margin})}
            return it.compute_loss(model, inputs)
        return run

    def ranked(edited, chosen, rejected):
        return -(F.logsigmoid(edited - chosen) + F.logsigmoid(edited - rejected) + F.logsigmoid(chosen - rejected)).mean()

    levels = torch.tensor([0.95, 0.85, 0.75, 0.65])

    def soft(chosen, rejected):
        return -(levels * F.logsigmoid(chosen - rejected) + (1 - levels) * F.logsigmoid(rejected - chosen)).mean()

    logits, classes = torch.tensor([[0.2, -0.7, 1.4], [0.0, 0.3, -2.0]]), torch.tensor([1, 0])
    return {
        "chosen": chosen.tolist(), "rejected": rejected.tolist(), "edited": edited.tolist(), "margin": margin.tolist(), "levels": levels.tolist(),
        "plain": of(bradley_terry(None), chosen, rejected), "by_margin": of(bradley_terry(margin), chosen, rejected),
        "ranked": of(ranked, edited, chosen, rejected), "soft": of(soft, chosen, rejected),
        "logits": logits.tolist(), "classes": classes.tolist(), "grades": of(lambda x: F.cross_entropy(x, classes, reduction="sum"), logits),
    }


def policy():
    lengths, width = (5, 8, 3, 6), 8
    own = torch.tensor([[1] * n + [0] * (width - n) for n in lengths])
    generator = torch.Generator().manual_seed(7)
    uniform = lambda scale: scale * (torch.rand(4, width, generator=generator) - 0.5)
    then = -0.05 - uniform(1.0).abs() * 3
    now, reference = then + uniform(0.9), then + uniform(0.6)
    advantages = torch.tensor([0.9, -0.4, 1.3, -1.1])
    ids = torch.ones(4, width, dtype=torch.long)

    def of(settings, loss_of):
        logps = now.clone().requires_grad_(True)
        loss = loss_of(logps)
        (grad,) = torch.autograd.grad(loss, logps)
        return {**settings, "value": loss.item(), "slopes": [row[:n].tolist() for row, n in zip(grad, lengths)]}

    inputs = {"prompt_ids": ids[:, :1], "prompt_mask": ids[:, :1], "completion_ids": ids, "completion_mask": own, "advantages": advantages,
              "old_per_token_logps": then, "ref_per_token_logps": reference, "old_logps": (then * own).sum(1),
              "num_items_in_batch": own.sum()}

    def grpo(kind, beta):
        def run(logps):
            it = trainer(GRPOTrainer, top_entropy_quantile=1.0, off_policy_mask_threshold=None, importance_sampling_level="token",
                         beta=beta, loss_type=kind, epsilon_low=0.2, epsilon_high=0.28, use_vllm=False, max_completion_length=16,
                         current_gradient_accumulation_steps=1, _entropy_bonus_enabled=False)
            it._get_per_token_logps_and_entropies = lambda *_, **__: (logps, torch.zeros_like(logps), None)
            return it._compute_loss(says(logps), dict(inputs))
        return run

    def rloo(on_policy):
        def run(logps):
            it = trainer(RLOOTrainer, epsilon_low=10.0, epsilon_high=10.0)
            it._get_per_token_logps_and_entropies = lambda *_, **__: (logps, torch.zeros_like(logps), None)
            old = (logps.detach() * own).sum(1) if on_policy else inputs["old_logps"]
            return it._compute_loss(says(logps), {**inputs, "old_logps": old})
        return run

    def mirror(logps):
        u = ((logps - then) * own).sum(1)
        return (-u.exp() * advantages + 0.3 * u.exp() * u).mean()

    return {
        "lengths": lengths, "now": now.tolist(), "then": then.tolist(), "reference": reference.tolist(), "advantages": advantages.tolist(),
        "losses": [
            of({"rule": "clipped", "aggregate": "sequence", "kl": 0.0}, grpo("grpo", 0.0)),
            of({"rule": "clipped", "aggregate": "token", "kl": 0.0}, grpo("dapo", 0.0)),
            of({"rule": "clipped", "aggregate": "longest", "kl": 0.0}, grpo("dr_grpo", 0.0)),
            of({"rule": "clipped", "aggregate": "sequence", "kl": 0.04}, grpo("grpo", 0.04)),
            # On the policy that sampled, the slopes of RLOO's ratios are those of the policy gradient; its value is not.
            of({"rule": "gradient", "aggregate": "sequence", "kl": 0.0}, rloo(True)),
            of({"rule": "mirror", "aggregate": "sequence", "kl": 0.0}, rloo(False)),
            of({"rule": "mirror", "aggregate": "sequence", "kl": 0.3}, mirror),
        ],
    }


def advantages():
    rewards = torch.tensor([[1.0, 0.0, 0.5, 0.25], [2.0, 2.0, 2.0, 2.0], [-1.0, 3.0, 0.0, 0.5]])
    # RLOO and GRPO compute these inside their sampling: the formulas of trl/trainer/{rloo,grpo}_trainer.py.
    n = rewards.size(1)
    left = rewards - (rewards.sum(1, keepdim=True) - rewards) / (n - 1)
    centred = rewards - rewards.mean(1, keepdim=True)
    return {"rewards": rewards.tolist(), "leave_one_out": left.tolist(), "centred": centred.tolist(),
            "scaled": (centred / (rewards.std(1, keepdim=True) + 1e-4)).tolist()}


def main():
    made_by = f"torch {torch.__version__}, transformers {transformers.__version__}, trl {trl.__version__}"
    golden = {"made_by": made_by, "preference": preference(), "kto": kto(), "rewards": rewards(), "policy": policy(), "advantages": advantages()}

    def short(x):
        if isinstance(x, float):
            return float(f"{x:.9g}")
        if isinstance(x, (list, tuple)):
            return [short(y) for y in x]
        return {k: short(v) for k, v in x.items()} if isinstance(x, dict) else x

    OUT.write_text(json.dumps(short(golden)) + "\n")
    print(OUT, OUT.stat().st_size)


if __name__ == "__main__":
    main()
