"""Numerical methods with known orders, and the same with a mistake."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Tableau = tuple[list[list[float]], list[float]]
RK: dict[int, Tableau] = {
    1: ([[]], [1.0]),
    2: ([[], [0.5]], [0.0, 1.0]),
    3: ([[], [0.5], [-1.0, 2.0]], [1 / 6, 2 / 3, 1 / 6]),
    4: ([[], [0.5], [0.0, 0.5], [0.0, 0.0, 1.0]], [1 / 6, 1 / 3, 1 / 3, 1 / 6]),
}


def runge_kutta(
    f: Callable[[float, np.ndarray], np.ndarray],
    y: np.ndarray,
    end: float,
    steps: int,
    order: int,
    *,
    short: bool = False,
) -> np.ndarray:
    """Integrate from 0 to `end`; `short` makes one step too few."""
    a, b = RK[order]
    h, t = end / steps, 0.0
    for _ in range(steps - short):
        stages: list[np.ndarray] = []
        for row in a:
            c = h * sum(row)
            stages.append(
                f(t + c, y + h * sum((w * k for w, k in zip(row, stages, strict=True)), np.zeros_like(y)))
            )
        y = y + h * sum((w * k for w, k in zip(b, stages, strict=True)), np.zeros_like(y))
        t += h
    return y


def ode_errors(order: int, seed: int, *, short: bool = False, grids: int = 5) -> dict[str, list[float]]:
    """Return errors of y' = -a y + sin(w t), y(0) = y0, with random a, w, y0, at t = 2."""
    rng = np.random.default_rng(seed)
    a, w, y0 = rng.uniform(0.5, 2), rng.uniform(1, 3), rng.uniform(-1, 2)
    c = 1 / (a * a + w * w)
    exact = (y0 + w * c) * np.exp(-2 * a) + c * (a * np.sin(2 * w) - w * np.cos(2 * w))
    first = 16
    found: dict[str, list[float]] = {"h": [], "error": [], "value": []}
    for steps in (first * 2**k for k in range(grids)):
        y = runge_kutta(lambda t, y: -a * y + np.sin(w * t), np.array([y0]), 2.0, steps, order, short=short)
        found["h"].append(2.0 / steps)
        found["error"].append(abs(float(y[0]) - exact))
        found["value"].append(float(y[0]))
    return found


def trapezoid_errors(seed: int, *, wrong: bool = False, grids: int = 5) -> dict[str, list[float]]:
    """Return errors of the trapezoidal rule for the integral of exp(a x) from 0 to 1; `wrong` weighs one end fully."""
    a = np.random.default_rng(seed).uniform(0.5, 3)
    found: dict[str, list[float]] = {"h": [], "error": [], "value": []}
    for n in (8 * 2**k for k in range(grids)):
        values = np.exp(a * np.linspace(0, 1, n + 1))
        weights = np.full(n + 1, 1 / n)
        weights[0] = weights[-1] = 0.5 / n
        if wrong:
            weights[-1] = 1 / n
        value = float(weights @ values)
        found["h"].append(1 / n)
        found["value"].append(value)
        found["error"].append(abs(value - (np.exp(a) - 1) / a))
    return found


def euler_maruyama(
    seed: int, replicates: int, *, wrong: bool = False, grids: int = 5, drift: float = 0.5
) -> dict[str, np.ndarray]:
    """Return errors of geometric Brownian motion at t = 1, with the same paths at all steps; `wrong` forgets the root of h.

    `drift` is that of the method; the exact one is 0.5.
    """
    rng = np.random.default_rng(seed)
    mu, sigma = 0.5, 0.8
    finest = 4 * 2 ** (grids - 1)
    increments = rng.normal(scale=np.sqrt(1 / finest), size=(replicates, finest))
    exact = np.exp((mu - sigma**2 / 2) + sigma * increments.sum(axis=1))
    rows: dict[str, list[np.ndarray]] = {"h": [], "replicate": [], "error": []}
    for n in (4 * 2**k for k in range(grids)):
        dw = increments.reshape(replicates, n, finest // n).sum(axis=2)
        if wrong:
            dw = dw * n**-0.25
        x = np.ones(replicates)
        for k in range(n):
            x = x * (1 + drift / n + sigma * dw[:, k])
        rows["h"].append(np.full(replicates, 1 / n))
        rows["replicate"].append(np.arange(replicates))
        rows["error"].append(x - exact)
    return {name: np.concatenate(parts) for name, parts in rows.items()}
