"""Ten steps of every optimizer in float64: the golden of runtime/train/tests/optimizers.rs.

Run: python tests/python/optimizers.py > runtime/train/tests/golden/optimizers.json   (torch 2.15)

adamw, sgd, adafactor and muon are those of torch.optim. lion (Chen et al. 2023, algorithm 2), rmsprop_momentum (AXLearn's
adastar_optimizer as Apple's foundation models use it) and adamw with a decay that the rate does not multiply are written
out here.
"""

import inspect
import json

import numpy
import torch
import torch.optim._muon as muons

# Name, shape, whether it is a hidden matrix, whether it decays: a decoder of one block.
TENSORS = [
    ("embedding", (13, 8), False, True),
    ("blocks.0.attention.norm", (8,), False, False),
    ("blocks.0.attention.q", (12, 8), True, True),
    ("blocks.0.attention.k", (6, 8), True, True),
    ("blocks.0.attention.v", (6, 8), True, True),
    ("blocks.0.attention.o", (8, 12), True, True),
    ("blocks.0.ffn.norm", (8,), False, False),
    ("blocks.0.ffn.gate", (11, 8), True, True),
    ("blocks.0.ffn.up", (11, 8), True, True),
    ("blocks.0.ffn.down", (8, 11), True, True),
    ("norm", (8,), False, False),
    ("head", (13, 8), False, True),
]
STEPS, WARMUP, SAMPLES = 10, 3, 6
WIDTH, BASE_WIDTH = 8, 4


def noise(count, seed):
    """Numbers in -0.5 to 0.5 that every language computes alike."""
    i = numpy.arange(count, dtype=numpy.uint64)
    mask = numpy.uint64(0xFFFF_FFFF)
    h = (i * numpy.uint64(2654435761) + numpy.uint64(seed * 40503 + 12345)) & mask
    for shift in (15, 13, 16):
        h = ((h ^ (h >> numpy.uint64(shift))) * numpy.uint64(2246822519)) & mask
    h ^= h >> numpy.uint64(15)
    # 24 bits are exact in a 32-bit float.
    return (h >> numpy.uint64(8)).astype(numpy.float64) / 2**24 - 0.5


def tensor(shape, seed):
    return torch.tensor(noise(int(numpy.prod(shape)), seed)).reshape(shape)


def gradient(index, shape, step):
    # The fifth gradient is far too long: rmsprop_momentum leaves that step out.
    factor = 64.0 if step == 5 else 1.0
    return tensor(shape, 1000 * step + index) * factor


def schedule(step):
    """As a fraction of the peak, from step 1."""
    return step / WARMUP if step < WARMUP else 1.0 - 0.1 * (step - WARMUP)


def with_torch(make, decay, peak):
    """Steps of an optimizer of torch; `make` gives optimizers with the factor of their rate."""
    params = [tensor(shape, index).requires_grad_() for index, (_, shape, _, _) in enumerate(TENSORS)]
    groups = {}
    for p, (_, _, matrix, decays) in zip(params, TENSORS):
        groups.setdefault((matrix, decay if decays else 0.0), []).append(p)
    optimizers = [(make(ps, matrix, wd), ps, matrix) for (matrix, wd), ps in groups.items()]
    for step in range(1, STEPS + 1):
        for index, (p, (_, shape, _, _)) in enumerate(zip(params, TENSORS)):
            p.grad = gradient(index, shape, step)
        for (optimizer, factor), _, _ in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = peak * schedule(step) * factor
            optimizer.step()
    return [p.detach() for p in params]


def by_formula(rule, peak, skip_above=None):
    """Steps of `rule(state, w, g, rate, schedule, decays, t, matrix)`, which gives the new weights."""
    params = [tensor(shape, index) for index, (_, shape, _, _) in enumerate(TENSORS)]
    states, t = [{} for _ in params], 0
    for step in range(1, STEPS + 1):
        grads = [gradient(index, shape, step) for index, (_, shape, _, _) in enumerate(TENSORS)]
        norm = sum(float((g * g).sum()) for g in grads) ** 0.5
        if skip_above is not None and norm >= skip_above:
            continue
        t += 1
        for index, (_, _, matrix, decays) in enumerate(TENSORS):
            s = schedule(step)
            params[index] = rule(states[index], params[index], grads[index], peak * s, s, decays, t, matrix)
    return params


def lion(b1, b2, wd):
    def rule(state, w, g, rate, _schedule, decays, _t, _matrix):
        m = state.get("m", torch.zeros_like(w))
        update = torch.sign(b1 * m + (1 - b1) * g) + (wd if decays else 0.0) * w
        state["m"] = b2 * m + (1 - b2) * g
        return w - rate * update

    return rule


def mup(rate, matrix):
    return rate * min(1.0, BASE_WIDTH / WIDTH) if matrix else rate


def rmsprop_momentum(b1, b2, eps_square, block_clip, wd):
    def rule(state, w, g, rate, schedule, decays, t, matrix):
        v = state.get("v", torch.zeros_like(w))
        m = state.get("m", torch.zeros_like(w))
        v = b2 * v + (1 - b2) * (g * g + eps_square)
        u = g / torch.sqrt(v / (1 - b2**t))
        u = u / max(1.0, float(torch.sqrt((u * u).mean())) / block_clip)
        m = b1 * m + (1 - b1) * u
        state.update(v=v, m=m)
        return w - (mup(rate, matrix) * m + schedule * (wd if decays else 0.0) * w)

    return rule


def adamw_by_schedule(b1, b2, eps, wd):
    def rule(state, w, g, rate, schedule, decays, t, matrix):
        m = b1 * state.get("m", torch.zeros_like(w)) + (1 - b1) * g
        v = b2 * state.get("v", torch.zeros_like(w)) + (1 - b2) * g * g
        state.update(v=v, m=m)
        w = w * (1 - schedule * (wd if decays else 0.0))
        return w - mup(rate, matrix) * (m / (1 - b1**t)) / (torch.sqrt(v / (1 - b2**t)) + eps)

    return rule


def cases():
    optim = torch.optim

    def adamw(ps, _matrix, wd):
        return optim.AdamW(ps, betas=(0.9, 0.95), eps=1e-8, weight_decay=wd), 1.0

    def sgd(momentum, nesterov):
        return lambda ps, _m, wd: (optim.SGD(ps, momentum=momentum, nesterov=nesterov, weight_decay=wd), 1.0)

    def adafactor(ps, _matrix, wd):
        eps = (torch.finfo(torch.float32).eps, 1e-3)
        return optim.Adafactor(ps, beta2_decay=-0.8, eps=eps, d=1.0, weight_decay=wd), 1.0

    def muon(nesterov, scale, rest):
        def make(ps, matrix, wd):
            if not matrix:
                return optim.AdamW(ps, betas=(0.9, 0.95), eps=1e-8, weight_decay=wd), rest
            options = dict(weight_decay=wd, momentum=0.95, nesterov=nesterov, adjust_lr_fn=scale)
            return optim.Muon(ps, **options), 1.0

        return make

    yield "adamw", with_torch(adamw, 0.1, 0.01)
    yield "adamw_schedule", by_formula(adamw_by_schedule(0.9, 0.95, 1e-8, 0.01), 0.01)
    yield "sgd", with_torch(sgd(0.0, False), 0.05, 0.02)
    yield "sgd_momentum", with_torch(sgd(0.9, False), 0.05, 0.002)
    yield "sgd_nesterov", with_torch(sgd(0.9, True), 0.0, 0.002)
    yield "lion", by_formula(lion(0.9, 0.99, 1.0), 0.003)
    yield "rmsprop_momentum", by_formula(rmsprop_momentum(0.95, 0.9, 1e-30, 1.0, 0.01), 0.02, skip_above=100.0)
    yield "rmsprop_clipped", by_formula(rmsprop_momentum(0.95, 0.95, 1e-30, 0.7, 0.0), 0.02)
    yield "adafactor", with_torch(adafactor, 0.1, 0.9)
    # Muon iterates in bfloat16; with more digits it can be compared.
    iteration = inspect.getsource(muons._zeropower_via_newtonschulz)
    exec(iteration.replace("torch.bfloat16", "torch.float64"), muons.__dict__)
    yield "muon", with_torch(muon(True, "match_rms_adamw", 1.0), 0.1, 0.01)
    yield "muon_shape", with_torch(muon(False, "original", 0.5), 0.1, 0.01)


def sampled(t):
    flat = t.reshape(-1)
    return [float(f"{float(flat[k * len(flat) // SAMPLES]):.9g}") for k in range(SAMPLES)]


golden = {name: {tensor[0]: sampled(p) for tensor, p in zip(TENSORS, params)} for name, params in cases()}
print(json.dumps(golden, indent=1).replace("\n   ", " ").replace("\n  ]", " ]"))
