"""Orders of convergence: methods of known order pass, methods with a mistake fail, and the reasons of doubt are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from check_methods import euler_maruyama, ode_errors, runge_kutta, trapezoid_errors
from packhorse import check
from packhorse.check import Verdict
from packhorse.model.errors import UsageError


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_runge_kutta_has_its_order(order: int) -> None:
    assert check.order_of_convergence(ode_errors(order, 1), "error", "h", order).passed
    assert check.order_of_values(ode_errors(order, 1, grids=6), "value", "h", order).passed
    assert check.order_of_convergence(ode_errors(order, 1), "error", "h", order + 1).failed
    if order > 1:  # one step too few is an error of first order
        assert check.order_of_convergence(ode_errors(order, 1, short=True), "error", "h", order).failed


def test_quadrature() -> None:
    found = check.order_of_convergence(trapezoid_errors(1), "error", "h", 2)
    assert found.passed
    assert found.statistic == pytest.approx(2, abs=0.01)
    assert check.order_of_convergence(trapezoid_errors(1, wrong=True), "error", "h", 2).failed


def test_two_grids_and_a_coarse_range_cannot_tell() -> None:
    two = check.order_of_convergence(ode_errors(4, 1, grids=2), "error", "h", 4)
    assert two.verdict is Verdict.UNDECIDED
    assert "needs three" in two.sentence
    coarse = check.order_of_convergence({"h": [1, 0.5, 0.25], "e": [1.0, 0.8, 0.1]}, "e", "h", 2)
    assert coarse.verdict is Verdict.UNDECIDED
    assert "asymptotic range is not reached" in coarse.sentence


def test_rounding_and_other_errors_mask_the_order() -> None:
    h = 2.0 ** -np.arange(3, 12)
    rounded = check.order_of_convergence({"h": h, "e": h**4 + 1e-14}, "e", "h", 4)
    assert rounded.passed
    assert "rounding masks" in rounded.sentence
    masked = check.order_of_convergence({"h": h, "e": h**4 + 1e-7}, "e", "h", 4)
    assert masked.verdict is not Verdict.PASS
    assert "another error" in masked.sentence
    everything = check.order_of_convergence({"h": h, "e": 0 * h + 1e-15}, "e", "h", 4)
    assert everything.verdict is Verdict.UNDECIDED


def test_richardson_agrees_with_the_published_example() -> None:
    # NASA Glenn, Examining Spatial (Grid) Convergence: pressure recovery on three grids with ratio 2, order 1.786170,
    # extrapolated value 0.971300, GCI 0.103083 % on the fine grid and 0.356249 % on the next (p and GCI for Fs = 1.25).
    found = check.richardson([1.0, 2.0, 4.0], [0.970500, 0.968540, 0.961780])
    assert found.order == pytest.approx(1.786170, abs=1e-5)
    assert found.value == pytest.approx(0.971300, abs=1e-5)
    assert found.gci == pytest.approx(0.00103083, abs=1e-7)
    assert found.asymptotic * 2**found.order * found.gci == pytest.approx(0.00356249, abs=1e-8)
    with pytest.raises(UsageError, match="oscillate"):
        check.richardson([1, 2, 4], [1.0, 1.1, 1.0])


def test_unequal_ratios_have_the_same_order() -> None:
    h = np.array([0.1, 0.17, 0.35])
    assert check.richardson(h, 2 + 3 * h**2).order == pytest.approx(2)
    assert check.richardson(h, 2 + 3 * h**2).value == pytest.approx(2)


def test_exponents_at_the_ends_of_a_range() -> None:
    x = np.geomspace(1e-3, 1e-1, 6)
    table = {"x": x, "y": 3 * np.sqrt(x) * (1 + x)}
    assert check.exponent(table, "y", "x", 0.5).passed
    assert check.exponent(table, "y", "x", 1.0).failed
    n = np.array([10, 20, 40, 80, 160.0])
    assert check.exponent({"n": n, "y": 5 / n + 1 / n**2}, "y", "n", -1, large=True).passed
    assert check.exponent({"n": n, "y": 5 / n + 1 / n**2}, "y", "n", -0.5, large=True).failed


def test_euler_maruyama_is_strong_of_order_one_half_and_weak_of_order_one() -> None:
    right, wrong = euler_maruyama(1, 2000), euler_maruyama(1, 2000, wrong=True)
    assert check.strong_order(right, "error", "h", 0.5).passed
    assert check.strong_order(wrong, "error", "h", 0.5).failed
    assert check.strong_order(right, "error", "h", 1).failed
    few = check.weak_order(euler_maruyama(1, 100), "error", "h", 1)
    assert few.verdict is Verdict.UNDECIDED
    assert check.weak_order(euler_maruyama(1, 60_000, grids=4), "error", "h", 1).passed


def test_a_manufactured_solution_verifies_a_solver() -> None:
    made = check.manufactured("sin(w * t) + t**2", "diff(u, t) + u**2", ["t"], {"w": 3.0})
    rows: dict[str, list[float]] = {"h": [], "error": []}
    for n in (20, 40, 80, 160, 320):
        y = runge_kutta(lambda t, u: made.source(t) - u**2, np.array([0.0]), 1.0, n, 2)
        rows["h"].append(1 / n)
        rows["error"].append(abs(float(y[0]) - made.solution(1.0)))
    assert check.order_of_convergence(rows, "error", "h", 2).passed
    with pytest.raises(UsageError, match="names z"):
        check.manufactured("z * t", "diff(u, t)", ["t"])


@pytest.mark.parametrize("steps", [[1.0, -0.5, 0.25], [1.0, 0.0, 0.25]])
def test_steps_are_positive(steps: list[float]) -> None:
    with pytest.raises(UsageError, match="positive"):
        check.order_of_convergence({"h": steps, "e": [1.0, 0.5, 0.2]}, "e", "h", 1)


def test_findings_draw_themselves(tmp_path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    measured = check.means({"n": [1, 2] * 20, "x": list(range(40))}, "x", ["n"])
    ranks = {"rank": list(range(100)) * 2}
    for at, finding in enumerate(
        (
            check.order_of_convergence(ode_errors(2, 1), "error", "h", 2),
            check.benchmark(measured, "mean", 19.0),
            check.uniform_ranks(ranks, "rank", 99),
        )
    ):
        axes = finding.draw()
        axes.figure.savefig(tmp_path / f"{at}.png")
        assert (tmp_path / f"{at}.png").stat().st_size > 1000
        assert finding.verdict.value in axes.get_title()
        plt.close(axes.figure)
    with pytest.raises(UsageError, match="nothing to draw"):
        check.finite({"x": [1.0]}, []).draw()


def test_a_claim_takes_every_form() -> None:
    assert check.expect(ode_errors(4, 1), "order(error, h) = 4").passed
    assert check.expect(ode_errors(4, 1), "order_of_values(value, h) = 4").passed
    assert check.expect(euler_maruyama(1, 500), "strong_order(error, h) = 0.5").passed
    n = np.array([10, 20, 40, 80, 160.0])
    assert check.expect({"n": n, "y": 1 / n}, "exponent_large(y, n) = -1").passed
    assert check.expect({"n": n, "y": n * n}, "exponent(y, n) = 2").passed
    assert check.expect({"rank": list(range(100)) * 3}, "uniform(rank, 99)").passed
    assert check.expect({"n": n, "y": n * n}, "column(y) = n**2", where=["n=10,20"]).passed
    for wrong in (
        "order(error) = 4",
        "order(error, h)",
        "speed = 3",
        "uniform(rank, 99) = 1",
        "=",
        "coverage",
    ):
        with pytest.raises(UsageError, match=r"claim|form"):
            check.expect({"x": [1]}, wrong)
    with pytest.raises(UsageError, match="a number"):
        check.expect(ode_errors(4, 1), "order(error, h) = n")
