"""Does the 95 % confidence interval of a regression slope cover the true slope 95 % of the time?"""

import numpy as np

SLOPE = 2.0
T975 = {10: 2.306004135, 20: 2.100922040, 50: 2.010634758, 100: 1.984467454}  # Student's t, n - 2 degrees


def errors(kind, n, rng):
    """Draw n errors with mean 0 and variance 1."""
    if kind == "normal":
        return rng.normal(size=n)
    if kind == "t3":
        return rng.standard_t(3, size=n) / np.sqrt(3)
    return rng.exponential(size=n) - 1


def simulate(n, error, heteroscedastic, rng):
    """Simulate one data set and fit it."""
    x = rng.uniform(0, 1, size=n)
    noise = errors(error, n, rng)
    if heteroscedastic:
        noise = noise * 3 * x**2
    y = 1 + SLOPE * x + noise

    centred = x - x.mean()
    sxx = centred @ centred
    estimate = centred @ y / sxx
    residuals = y - y.mean() - estimate * centred
    se = np.sqrt(residuals @ residuals / (n - 2) / sxx)
    return {"estimate": estimate, "se": se, "covered": int(abs(estimate - SLOPE) <= T975[n] * se)}
