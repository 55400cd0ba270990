"""One call of a study's function, and its result as JSON."""

import json
import sys
import time
import traceback
from json.encoder import encode_basestring

from packhorse.task_values import plain
from packhorse.worker.results.judgement import check_rows, parse_json
from packhorse.worker.results.result import INLINE, LARGEST, TOO_LARGE, attach
from packhorse.worker.tasks.cause import shorten_cause
from packhorse.worker.tasks.memory_limit import memory_cause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from packhorse.worker.tasks.task import Task

TEXT = frozenset([str])
SIMPLE = frozenset([bool, int, float, str, type(None)])
ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=plain)
# JSONEncoder makes this for each value, which takes longer than to encode a small one. The dict holds the
# containers that are being encoded, by which circular references are found.
OPEN: "dict[int, Any]" = {}
MAKE_ENCODER: "Any" = getattr(json.encoder, "c_make_encoder", None)
CHUNKS: "Any" = MAKE_ENCODER and MAKE_ENCODER(
    OPEN, plain, encode_basestring, None, ":", ",", False, False, True
)


def encode_result(value: "Any") -> bytes:
    """Return a value as JSON; lone surrogates are escaped, which is still JSON.

    Raise NoResult for equal names, TypeError and ValueError for what JSON cannot hold.
    """
    if CHUNKS is None:
        text = ENCODER.encode(value)
    else:
        try:
            text = "".join(CHUNKS(value, 0))
        finally:
            OPEN.clear()  # an exception leaves what was open
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        data = json.dumps(value, separators=(",", ":"), default=plain).encode("ascii")
    if not _is_simple(value):
        check_rows(parse_json(data))
    return data


def _is_simple(value: "Any") -> bool:
    """Return whether no two names of a result can be equal, since it is one value, or a dict of texts to values."""
    if type(value) is dict:
        return SIMPLE.issuperset(map(type, value.values())) and TEXT.issuperset(map(type, value))
    return type(value) in SIMPLE


def _task_result() -> "Any":
    """Return what the function gave to packhorse.task.result, or None."""
    task_module: "Any" = sys.modules.get("packhorse.task")
    return None if task_module is None else task_module.given()


class Call(object):
    """One call of the function: its result as JSON or its error, and its times in seconds."""

    __slots__ = ("begin", "begun", "cpu", "error", "json", "wall")

    def __init__(self) -> None:
        self.error: "BaseException | None" = None
        self.json = b""
        self.begin = time.time()
        self.begun = self.wall = self.cpu = 0.0

    def run(
        self, function: "Callable[..., Any]", arguments: "Callable[[Task], dict[str, Any]]", task: "Task"
    ) -> None:
        """Call the function; an exception is stored, so that only this task fails."""
        begun = self.begun = time.perf_counter()
        try:
            value = function(**arguments(task))
            self.json = encode_result(_task_result() if value is None else value)
        except BaseException as error:
            self.error = error
        self.wall = time.perf_counter() - begun

    def is_small(self) -> bool:
        """Return whether there is a result that fits a journal line."""
        return self.error is None and len(self.json) <= INLINE

    def add_outcome(self, record: "dict[str, Any]") -> "bytes | None":
        """Put outcome and result into a record; return the bytes for the pack, or None."""
        if self.error is not None:
            cause = error_text(self.error)
            out_of_memory = memory_cause(cause)
            record.update(
                outcome="MEMORY" if out_of_memory else "FAILED", exit=1, cause=out_of_memory or cause
            )
            raised = getattr(self.error, "packhorse_raised", None)  # by worker/calls.py
            if raised:
                record["raised"] = raised
        elif len(self.json) > LARGEST:
            record.update(outcome="FAILED", exit=0, cause=TOO_LARGE)
        elif self.json != b"null":
            return attach(record, self.json, "json")
        return None

    def traceback(self) -> bytes:
        """Return the traceback of the error, empty if there is none."""
        return error_traceback(self.error) if self.error is not None else b""


def error_text(error: BaseException) -> str:
    """Return an exception in one line."""
    # A syntax error has lines with its place first, which begin with a blank.
    rows = "".join(traceback.format_exception_only(type(error), error)).splitlines()
    first = next((at for at, row in enumerate(rows) if row and not row[0].isspace()), 0)
    return shorten_cause(" ".join(row.strip() for row in rows[first:])) or type(error).__name__


def error_traceback(error: BaseException) -> bytes:
    """Return the traceback of an exception from the caller's frame on."""
    rows = traceback.format_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
    return "".join(rows).encode("utf-8", "surrogateescape")
