"""The z-loss of an output head in float64: the golden of runtime/nn/src/kernels/tests.rs.

Run: python tests/python/z_loss.py > runtime/nn/tests/golden/z_loss.json   (torch 2.15)

Cross-entropy plus a weight times the squared logsumexp of the logits, both in the mean over the targets that count, with
and without a soft cap; the loss, its two parts and the gradients of both inputs, by torch.autograd.
"""

import json

import torch

N, C, V, WEIGHT = 7, 5, 12, 0.02
IGNORED = 3


def wave(rows, cols, phase, size):
    i = torch.arange(rows * cols, dtype=torch.float64)
    # The inputs of the test are 32-bit floats.
    return (size * torch.sin(0.37 * i + phase)).float().double().reshape(rows, cols)


def case(cap):
    x, w = wave(N, C, 0.0, 2.0).requires_grad_(), wave(V, C, 1.0, 3.0).requires_grad_()
    targets = torch.tensor([5 * i % V for i in range(N)])
    keep = torch.arange(N) != IGNORED
    logits = x @ w.T
    if cap is not None:
        logits = cap * torch.tanh(logits / cap)
    nll = torch.nn.functional.cross_entropy(logits[keep], targets[keep])
    z = torch.logsumexp(logits[keep], dim=1).square().mean()
    loss = nll + WEIGHT * z
    loss.backward()
    numbers = lambda t: [round(v, 9) for v in t.flatten().tolist()]
    return {"cap": cap, "nll": nll.item(), "z": z.item(), "loss": loss.item(), "x": numbers(x.grad), "w": numbers(w.grad)}


print(json.dumps({"weight": WEIGHT, "cases": [case(None), case(6.0)]}))
