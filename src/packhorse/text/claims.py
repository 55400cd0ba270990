"""Claims about results as text: `coverage = 0.95`, `mean(x) = 1 / n`, `order(error, h) = 4`."""

from __future__ import annotations

import re

from msgspec import Struct

from packhorse.model.errors import UsageError

# A form: its number of arguments, whether it has a value, and its meaning. MEASURE is the name of a performance measure.
FORMS = {
    "mean": (1, True, "mean(COLUMN) = FORMULA", "the mean in each cell"),
    "column": (1, True, "column(COLUMN) = FORMULA", "every value, within rtol, atol and ulp"),
    "order": (2, True, "order(ERROR, STEP) = NUMBER", "order of convergence, from errors"),
    "order_of_values": (
        2,
        True,
        "order_of_values(VALUE, STEP) = NUMBER",
        "the same without an exact solution",
    ),
    "strong_order": (
        2,
        True,
        "strong_order(ERROR, STEP) = NUMBER",
        "of a stochastic method, from errors of paths",
    ),
    "weak_order": (
        2,
        True,
        "weak_order(ERROR, STEP) = NUMBER",
        "of a stochastic method, from errors of the expectation",
    ),
    "exponent": (
        2,
        True,
        "exponent(RESULT, PARAMETER) = NUMBER",
        "behaviour for small values of a parameter",
    ),
    "exponent_large": (2, True, "exponent_large(RESULT, PARAMETER) = NUMBER", "the same for large values"),
    "uniform": (2, False, "uniform(RANK, DRAWS)", "ranks of simulation-based calibration, 0 to DRAWS"),
}
MEASURES = (
    "bias",
    "relative_bias",
    "empirical_se",
    "mse",
    "rmse",
    "model_se",
    "se_ratio",
    "coverage",
    "be_coverage",
    "power",
    "type_i_error",
    "convergence",
)


class Claim(Struct, frozen=True):
    """A claim: a form of FORMS, or "measure" with the measure as its argument; the value is a number or a formula."""

    form: str
    arguments: tuple[str, ...]
    value: str = ""

    def number(self) -> float:
        """Return the value as a number; raise UsageError where it is a formula."""
        try:
            return float(self.value)
        except ValueError:
            raise UsageError(
                f"{self.form} is compared with a number, not with '{self.value}'", "write 4, or 0.5"
            ) from None


def parse_claim(text: str) -> Claim:
    """Return the claim of a text; raise UsageError where it has none of the forms."""
    match = re.fullmatch(r"\s*([a-z_]+)\s*(?:\(([^()]*)\))?\s*(?:=\s*(.*\S))?\s*", text, re.DOTALL)
    if match is None:
        raise UsageError(f"'{text}' is not a claim about results", _hint())
    name, arguments, value = match[1], match[2], match[3] or ""
    if arguments is None and name in MEASURES and value:
        return Claim("measure", (name,), value)
    if name in FORMS and arguments is not None:
        number_of, has_value, form, _ = FORMS[name]
        given = tuple(one.strip() for one in arguments.split(","))
        if len(given) == number_of and all(given) and bool(value) == has_value:
            return Claim(name, given, value)
        raise UsageError(f"'{text}' does not have the form {form}", f"write {form}")
    raise UsageError(f"'{text}' is not a claim about results", _hint())


def _hint() -> str:
    forms = "\n".join(form for _, _, form, _ in FORMS.values())
    return f"write MEASURE = NUMBER with one of {', '.join(MEASURES)}, or one of:\n{forms}"
