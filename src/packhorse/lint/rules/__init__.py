"""All rules. A module here holds the rules of one subject; importing it registers them."""

from packhorse.lint.rules import (
    arrays,
    commands,
    directives,
    logs,
    places,
    python,
    r,
    resources,
    site_limits,
    text,
    values,
)

__all__ = [
    "arrays",
    "commands",
    "directives",
    "logs",
    "places",
    "python",
    "r",
    "resources",
    "site_limits",
    "text",
    "values",
]
