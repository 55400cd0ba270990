"""The request of a pilot is written into a study, and nothing else of the file changes."""

from __future__ import annotations

import pytest

from packhorse.model.errors import StudyError
from packhorse.study.write_resources import with_resources

REQUEST = {"cpus": "2", "memory": "32 MB"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name: a\n", "name: a\nresources:\n  cpus: 2\n  memory: 32 MB\n"),
        ("name: a", "name: a\nresources:\n  cpus: 2\n  memory: 32 MB\n"),
        (
            "resources:  # of one task\n    gpus: 1\n    cpus: 8  # many\n\n# then\nname: a\n",
            "resources:  # of one task\n    gpus: 1\n    cpus: 2  # many\n    memory: 32 MB\n\n# then\nname: a\n",
        ),
        ("a: 1\r\nresources:\r\n  cpus: 1\r\n", "a: 1\r\nresources:\r\n  cpus: 2\r\n  memory: 32 MB\r\n"),
        ("resources:", "resources:\n  cpus: 2\n  memory: 32 MB\n"),
        (
            "sites:\n  x:\n    resources:\n      cpus: 4\n",
            "sites:\n  x:\n    resources:\n      cpus: 4\nresources:\n  cpus: 2\n  memory: 32 MB\n",
        ),
    ],
)
def test_only_resources_change(before: str, after: str) -> None:
    assert with_resources(before, REQUEST, "study.yaml") == after
    assert with_resources(after, REQUEST, "study.yaml") == after


def test_a_flow_mapping_is_left_alone() -> None:
    with pytest.raises(StudyError, match="not written one key a line") as refused:
        with_resources("name: a\nresources: {cpus: 2}\n", REQUEST, "study.yaml")
    assert refused.value.where == "study.yaml:2"
