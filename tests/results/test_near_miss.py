"""Output that is nearly a result: the note says what to change."""

from __future__ import annotations

import json

import pytest

from packhorse.rundata.near_miss import near_miss

OBJECT = {"a": 1, "b": {"c": [1, 2]}}


@pytest.mark.parametrize(
    ("output", "clause"),
    [
        (json.dumps(OBJECT, indent=2), "printed a JSON object on 9 lines; print it on one line: json.dumps"),
        (f"begin\n{json.dumps(OBJECT, indent=2)}\n\n", "printed a JSON object on 9 lines"),
        ('{"a": 1}\nDone in 3 s', "printed 'Done in 3 s' after its JSON object; print the object last"),
        ("{'a': 1}\n" + "x" * 50, f"printed '{'x' * 37}...' after its JSON object"),
        ('result: {"a": 1}', "printed 'result:' before its JSON object; print the object alone"),
        ("INFO:root:{'a': np.float64(1.5)}", "printed 'INFO:root:' before its JSON object"),
        ("0.25", 'printed the number 0.25 alone; print it with a name: {"value": 0.25}'),
        ("fitting\n[1] 3.5e-4", 'print it with a name: {"value": 3.5e-4}'),
    ],
)
def test_what_is_nearly_a_result_is_told(output: str, clause: str) -> None:
    assert clause in near_miss(f"== task 0, attempt 1, OK ==\n{output}\n")


@pytest.mark.parametrize(
    "output", ["", "done", "fit {a} ended", "[1] 1 2 3", "{" * 500, "}", "a}\n{b", "1.2.3", "\x00{}\x00"]
)
def test_other_output_is_not(output: str) -> None:
    assert near_miss(f"== task 0, attempt 1, OK ==\n{output}\n-- stderr --\n{{}}\n") == ""
