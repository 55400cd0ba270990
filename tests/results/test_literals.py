"""A printed Python dict that cannot be read names the value."""

from __future__ import annotations

from typing import Any

import pytest

from packhorse.worker.results.refusal import NoResult
from packhorse.worker.results.result import result_from_output


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{'a': 1, 'm': Model(3)}", "the value of 'm' is neither a number nor a text, list or dict"),
        ("{'a': [1, x]}", "the value of 'a' is neither a number"),
        (
            "{'m': <__main__.Model object at 0x7f>}",
            "Python cannot read it from '<__main__.Model object at 0x7f",
        ),
        ("{'a': 1, 'a': 2}", "the name 'a' occurs twice"),
        ("{1: 2, 3: Model()}", "the value of '3' is neither a number"),
    ],
)
def test_a_dict_that_cannot_be_read_names_the_value(line: str, reason: str) -> None:
    record: dict[str, Any] = {}
    with pytest.raises(NoResult, match="it is a Python dict that cannot be read") as error:
        result_from_output(record, f"begin\n{line}\n".encode(), "auto")
    assert reason in str(error.value)
    assert str(error.value).endswith("if it is not a result, write result: none")
