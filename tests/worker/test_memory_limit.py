"""What counts as out of memory where a scheduler only limits each process; the words are those of real programs."""

from __future__ import annotations

import resource

import pytest

from packhorse.worker.tasks import memory_limit
from packhorse.worker.tasks.cause import failure_cause
from packhorse.worker.tasks.memory_limit import memory_cause

SAID = {
    "python": "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    x = bytearray(1 << 40)\nMemoryError\n",
    "numpy": "Traceback (most recent call last):\n  File \"a.py\", line 2, in <module>\n"
    "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 74.5 GiB for an array with shape (100000, 100000) and data type float64\n",
    "r": "Error: cannot allocate vector of size 7.5 Gb\nExecution halted\n",
    "c++": "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n",
    "bash": "a.sh: fork: Cannot allocate memory\n",
    "perl": "Out of memory!\n",
    "java": 'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space\n\tat A.main(A.java:3)\n',
    "jvm": "#\n# There is insufficient memory for the Java Runtime Environment to continue.\n# Native memory allocation (mmap) failed\n",
    "julia": "ERROR: LoadError: OutOfMemoryError()\nStacktrace:\n [1] Array\n   @ ./boot.jl:477 [inlined]\n",
    "rust": "memory allocation of 8000000000 bytes failed\n",
}  # fmt: skip
OTHERS = ("ValueError: no memory of earlier runs\n", "Error in f(): object 'memory' not found\n", "killed\n")


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a limit as TORQUE does with mem=400mb; capture: ulimits of a job with mem=400mb."""
    monkeypatch.setattr(resource, "getrlimit", lambda name: (409600 << 10, 409600 << 10)
                        if name == resource.RLIMIT_DATA else (resource.RLIM_INFINITY,) * 2)  # fmt: skip


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("language", SAID)
def test_what_languages_say_is_out_of_memory_where_processes_are_limited(language: str) -> None:
    said = SAID[language].encode()
    cause = memory_cause(failure_cause(b"", said), said)
    assert cause.endswith("(each process may have 400 MiB)")


@pytest.mark.parametrize("language", SAID)
def test_without_a_limit_a_program_that_asks_for_too_much_has_failed(language: str) -> None:
    assert memory_limit.process_limit() is None
    assert memory_cause(failure_cause(b"", SAID[language].encode()), SAID[language].encode()) == ""


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("said", OTHERS)
def test_other_failures_stay_failures(said: str) -> None:
    assert memory_cause(failure_cause(b"", said.encode()), said.encode()) == ""
