#!/usr/bin/env python3
"""Makes runtime/train/tests/golden/scaling_law.json: fits of scaling laws by numpy and scipy.

    python3 tests/python/scaling_law.py

Runs follow a law with an irreducible loss, L = E + A / N^a + B / D^b, with noise; budgets differ in how many sizes they
have. Parabolas are numpy.polyfit's and the lowest point is found again by scipy's minimiser, not by a formula; the power
law is scipy.optimize.curve_fit's on logarithms. `cargo test --workspace --lib scaling` compares to 1e-7.
"""
import json
from pathlib import Path

import numpy as np
from scipy.optimize import curve_fit, minimize_scalar

OUT = Path(__file__).parents[2] / "runtime/train/tests/golden/scaling_law.json"


def case(seed, budgets, sizes, at, noise):
    random = np.random.default_rng(seed)
    runs, parabolas, tokens, losses = [], [], [], []
    for budget in budgets:
        best = 0.3 * budget**0.53
        data = best * np.exp(np.linspace(-1.6, 1.4, sizes))
        flops = budget * (1 + random.uniform(-0.004, 0.004, sizes))
        params = flops / (6 * data)
        loss = 1.7 + 406.0 / params**0.34 + 410.0 / data**0.28
        # A valley at a known place, so that every lowest point lies between the runs.
        loss = loss.mean() + 0.08 * (np.log(data / best) + random.uniform(-0.3, 0.3)) ** 2
        loss = loss + random.normal(0, noise, sizes)
        fit = np.polyfit(np.log(data), loss, 2)
        low, high = np.log(data[0]), np.log(data[-1])
        found = minimize_scalar(lambda x: np.polyval(fit, x), bounds=(low, high), method="bounded",
                                options={"xatol": 1e-13})
        vertex = -fit[1] / (2 * fit[0])
        assert low < vertex < high and abs(found.x - vertex) < 1e-6, (found.x, vertex)
        runs += [[float(f), float(d), float(l)] for f, d, l in zip(flops, data, loss)]
        parabolas.append([float(x) for x in fit])
        tokens.append(float(np.exp(vertex)))
        losses.append(float(np.polyval(fit, vertex)))
    means = [float(np.mean([f for f, _, _ in runs[i * sizes : (i + 1) * sizes]])) for i in range(len(budgets))]
    (start, slope), _ = curve_fit(lambda x, a, b: a + b * x, np.log(means), np.log(tokens), p0=(0, 0.5))
    check = np.polyfit(np.log(means), np.log(tokens), 1)
    assert np.allclose([slope, start], check, rtol=1e-6), (slope, start, check)
    slope, start = float(check[0]), float(check[1])
    best = float(np.exp(start + slope * np.log(at)))
    random.shuffle(runs)
    return {"runs": runs, "parabolas": parabolas, "tokens": tokens, "losses": losses,
            "power": [float(np.exp(start)), slope], "at": at, "forecast": [best, at / (6 * best)]}


cases = [
    case(0, [6e18, 3e19, 1e20, 1e21, 1e22], 7, 3.8e25, 0.002),
    case(1, [1e13, 3e13], 3, 1e15, 0.0),
    case(2, [1e12, 4e12, 1.6e13, 6.4e13], 5, 1e14, 0.005),
]
OUT.write_text(json.dumps(cases, indent=1) + "\n")
print(f"{OUT}: {len(cases)} cases")
