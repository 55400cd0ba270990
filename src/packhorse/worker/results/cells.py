"""The texts that are numbers, missing values or truth values, in tables and in single values.

The words for missing values are those that pandas (its `na_values`) and R (`NA`) read as missing.
"""

import re

# Leading zeros make an identifier ("007"), not a number; underscores and blanks are not digits.
INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)")
# Fortran prints 1.0D-03; without a point, 12D3 is a name.
FLOAT = re.compile(
    r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?[0-9]*\.[0-9]+[dD][+-]?[0-9]+"
)
WITH_COMMAS = re.compile(r"[+-]?[0-9]+(,[0-9]+)+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
WITH_POINTS = re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?")  # thousands, with a decimal comma
WHOLE_PART = re.compile(r"[+-]?[0-9]+")
DECIMALS = re.compile(r"[0-9]+([eE][+-]?[0-9]+)?")

# Words that R, Python, C, Julia, NumPy and old C libraries of Windows print for numbers without digits.
NUMBERS = {
    text: float(number)
    for number, texts in (
        ("nan", "NaN nan -nan -NaN +nan 1.#IND -1.#IND 1.#QNAN -1.#QNAN"),
        ("inf", "Inf inf +inf +Inf Infinity infinity +Infinity 1.#INF"),
        ("-inf", "-Inf -inf -Infinity -infinity -1.#INF"),
    )
    for text in texts.split()
}
# Missing everywhere, also among texts.
BLANK = frozenset(["", "NA"])
# Missing among numbers, but texts among texts.
MISSING = frozenset(["None", "none", "null", "NULL", "Null", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>"])
TRUE = frozenset(["TRUE", "True", "true"])
FALSE = frozenset(["FALSE", "False", "false"])


def is_number(text: str) -> bool:
    """Return whether a text is a number with digits."""
    return FLOAT.fullmatch(text) is not None


def is_missing(text: str) -> bool:
    """Return whether a text among numbers is missing, or a number without digits."""
    return text in BLANK or text in MISSING or text in NUMBERS
