"""The backend of joblib: what uses joblib, such as scikit-learn, gives what it gives with loky."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score

import packhorse

packhorse.register_joblib()  # pytest has imported Packhorse before joblib


def power(x: float, y: int) -> float:
    return x**y


def refuse(x: int) -> int:
    if x == 7:
        raise ZeroDivisionError("seven")
    return x


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_classification(n_samples=2000, n_features=20, random_state=0)  # noqa: N806 - as in scikit-learn
    return X, y


def test_parallel_gives_its_results_in_order() -> None:
    with joblib.parallel_config("packhorse", n_jobs=2):
        assert joblib.Parallel()(joblib.delayed(power)(n, 2) for n in range(200)) == [
            n * n for n in range(200)
        ]
        with pytest.raises(ZeroDivisionError, match="seven"):
            joblib.Parallel()(joblib.delayed(refuse)(n) for n in range(20))
        results = joblib.Parallel(return_as="generator")(joblib.delayed(power)(n, 3) for n in range(5))
        assert list(results) == [0, 1, 8, 27, 64]


def test_scikit_learn_finds_what_it_finds_with_loky(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data  # noqa: N806
    model = LogisticRegression(max_iter=500)

    def search() -> tuple[dict[str, float], np.ndarray, np.ndarray]:
        found = GridSearchCV(model, {"C": [0.01, 0.1, 1.0]}, cv=3, n_jobs=2).fit(X, y)
        return (
            found.best_params_,
            found.cv_results_["mean_test_score"],
            cross_val_score(model, X, y, cv=4, n_jobs=2),
        )

    with joblib.parallel_config("loky"):
        expected = search()
    with joblib.parallel_config("packhorse"):
        got = search()
    assert got[0] == expected[0]
    assert (got[1] == expected[1]).all()
    assert (got[2] == expected[2]).all()


def test_large_arrays_are_shared_and_read_only() -> None:
    array = np.ones(100_000)

    def look(x: np.ndarray) -> tuple[bool, float]:
        return x.flags.writeable, float(x.sum())

    with joblib.parallel_config("packhorse", n_jobs=2):
        assert joblib.Parallel()(joblib.delayed(look)(array) for _ in range(6)) == [(False, 100_000.0)] * 6


def test_wrong_options_are_refused() -> None:
    with (
        joblib.parallel_config("packhorse", partition="x", n_jobs=2),
        pytest.raises(packhorse.errors.UsageError, match="needs a site"),
    ):
        joblib.Parallel()(joblib.delayed(power)(n, 2) for n in range(2))
