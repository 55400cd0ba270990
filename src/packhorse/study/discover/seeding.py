"""Where a script sets the seed of its random numbers, and whether that seed is the same in every task."""

from __future__ import annotations

import re

from msgspec import Struct

from packhorse.study.discover.calls import argument, inside, last_argument, without_comments

# Calls whose only or first argument is a seed; those of clusterSetRNGStream stand second.
_SETTERS = re.compile(
    r"(?<![\w.])(?P<name>set\.seed|(?:np\.|numpy\.)?random\.seed|(?:\w+\.)*default_rng|(?:\w+\.)*RandomState|"
    r"(?:\w+\.)*SeedSequence|(?:\w+\.)*manual_seed(?:_all)?|(?:\w+\.)*set_random_seed|(?:\w+\.)*random\.set_seed|"
    r"(?:\w+\.)*seed_everything|(?:\w+\.)*PRNGKey|random\.Random|Random\.seed!|MersenneTwister|"
    r"clusterSetRNGStream|registerDoRNG)\s*\("
)
_CONSTANT = re.compile(r"-?\d[\d_]*L?|\d+[eE]\d+|0x[0-9A-Fa-f]+|\"[^\"]*\"|'[^']*'")
_NAME = re.compile(r"[A-Za-z_.][\w.]*")


class SeedCall(Struct, frozen=True, kw_only=True):
    """A call that sets a seed; `constant` says that the seed is certainly the same in every task."""

    text: str
    line: int
    constant: bool


def seed_calls(source: str) -> tuple[SeedCall, ...]:
    """Return the calls of a script, in any language, that set a seed; one without an argument sets none."""
    text = without_comments(source)
    found = []
    for match in _SETTERS.finditer(text):
        given = inside(text, match.end())
        seed = last_argument(given) if match["name"] == "clusterSetRNGStream" else argument(given)
        if seed:
            line = text.count("\n", 0, match.start()) + 1
            shown = " ".join(f"{match['name']}({given})".split())
            found.append(SeedCall(text=shown, line=line, constant=_is_constant(seed, text)))
    return tuple(found)


def _is_constant(seed: str, text: str) -> bool:
    """Return whether a seed is a number, or a name that is set once and to a number."""
    if _CONSTANT.fullmatch(seed):
        return True
    if not _NAME.fullmatch(seed):
        return False
    # A loop's variable, a function's parameter and a second value make it unsure.
    name = rf"(?<![\w.]){re.escape(seed)}(?![\w.])"
    values = re.findall(rf"^{name}[ \t]*(?:<-|=)[ \t]*([^\n;]+?)[ \t]*;?[ \t]*$", text, re.MULTILINE)
    set_elsewhere = re.findall(rf"\bfor\s*\(?\s*{name}|(?:def|function)[^\n{{:]*\([^)]*{name}", text)
    all_values = re.findall(rf"{name}[ \t]*(?:<-|<<-|\+=|=(?!=))", text)
    return len(values) == 1 == len(all_values) and not set_elsewhere and bool(_CONSTANT.fullmatch(values[0]))
