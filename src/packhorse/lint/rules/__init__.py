"""All rules. A module here holds the rules of one subject; importing it registers them."""

from packhorse.lint.rules import (
    arrays,
    commands,
    directives,
    gpus,
    logs,
    outputs,
    places,
    python,
    r,
    resources,
    site_limits,
    site_rules,
    storage,
    text,
    values,
)

__all__ = [
    "arrays",
    "commands",
    "directives",
    "gpus",
    "logs",
    "outputs",
    "places",
    "python",
    "r",
    "resources",
    "site_limits",
    "site_rules",
    "storage",
    "text",
    "values",
]
