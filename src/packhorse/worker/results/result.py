"""The result of a command: taken from the last line of its output or from its files, and judged before it is kept."""

import glob
import os
import re

from packhorse.worker.amounts import counted
from packhorse.worker.results.complete import is_complete
from packhorse.worker.results.judgement import judge, parse_json
from packhorse.worker.results.refusal import NoResult
from packhorse.worker.results.suffixes import suffix_format
from packhorse.worker.tasks.task import fill_template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from packhorse.worker.tasks.task import Task
    from packhorse.worker.work_file import Work

    Taken = list[tuple[str, str, bytes]]  # name, format and content of each file

DICT = re.compile(rb"""\{\s*(?:'|[-+.\w]+\s*:)""")  # no JSON begins so
INLINE = 4096  # bytes of a result that the journal itself holds
LARGEST = 64 << 20  # bytes of a result
TOO_LARGE = "the result is larger than 64 MiB; name a file in artifacts:"


class ResultFiles(object):
    """The files of one task's result: paths, or patterns that one new or changed file must match."""

    def __init__(
        self, setting: "dict[str, Any]", paths: "list[str]", formats: "list[str]", folder: str = ""
    ) -> None:
        self.setting = setting
        self.folder = folder  # of the study; messages name files from there
        self.paths, self.formats = paths, formats
        self.patterns = any(map(glob.has_magic, paths))
        self.before: "dict[str, tuple[int, int]]" = {}  # what patterns matched when the task began

    def prepare(self) -> None:
        """Make the folders, and remove what an earlier task left."""
        for path in self.paths:
            if glob.has_magic(path):
                self.before.update((match, _state(match)) for match in glob.glob(path, recursive=True))
            else:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                if os.path.lexists(path):
                    os.unlink(path)

    def take(self, record: "dict[str, Any]") -> "bytes | None":
        """Put the result into a record; return the bytes for the pack, or None. Raise NoResult.

        A refused result is kept, too, so that it need not be computed again to be seen.
        """
        taken = self._taken()
        packed = attach_files(record, taken)
        for name, form, data in taken:
            try:
                judge(data, form, self.setting)
            except NoResult as reason:
                record.update(
                    outcome="FAILED",
                    exit=0,
                    cause="%s is refused: %s" % (name, str(reason).replace("FILE", name)),
                )
                break
        return packed

    def take_complete(self, record: "dict[str, Any]") -> "bytes | None":
        """Put the result of a task that was ended into its record, marked partial, if all its files are complete.

        Otherwise its cause says why not.
        """
        try:
            taken = self._taken()
        except NoResult:
            return None
        why = next(filter(None, (self._incomplete(*one) for one in taken)), "")
        if why:
            record["cause"] = "%s; %s" % (record.get("cause") or "it was ended", why)
            return None
        record["partial"] = True
        return attach_files(record, taken)

    def _incomplete(self, name: str, form: str, data: bytes) -> str:
        """Return why a file is not complete, as a clause; empty if it is."""
        try:
            judge(data, form, self.setting)
        except NoResult as reason:
            return "%s is not complete: %s" % (name, str(reason).replace("FILE", name))
        return "" if is_complete(data, form) else "%s is not complete: its end is missing" % name

    def _taken(self) -> "Taken":
        """Return the name, the format and the content of each file."""
        taken: "Taken" = []
        for named, form in zip(self.paths, self.formats):
            path = self._match(named)
            taken.append((os.path.basename(path), form or suffix_format(path) or "text", self._read(path)))
        if sum(len(data) for _, _, data in taken) > LARGEST:
            raise NoResult(TOO_LARGE)
        return taken

    def remove(self) -> None:
        """Remove the files, so that no later task takes them for its own."""
        for path in self.paths:
            for match in (
                glob.glob(path, recursive=True) if self.patterns and glob.has_magic(path) else [path]
            ):
                if os.path.lexists(match) and self.before.get(match) != _state(match):
                    try:
                        os.unlink(match)
                    except OSError:
                        pass

    def _match(self, path: str) -> str:
        if not glob.has_magic(path):
            return path
        pattern = self._shown(path)
        matches = sorted(
            match for match in glob.glob(path, recursive=True) if self.before.get(match) != _state(match)
        )
        if len(matches) == 1:
            return matches[0]
        if not matches:
            raise NoResult("the command succeeded but wrote no file that matches %s" % pattern)
        names = ", ".join(map(self._shown, matches[:3]))
        raise NoResult(
            "%s match %s (%s); a task has one result" % (counted(len(matches), "file"), pattern, names)
        )

    def _shown(self, path: str) -> str:
        return os.path.relpath(path, self.folder) if self.folder else os.path.basename(path)

    def _read(self, path: str) -> bytes:
        shown = self._shown(path)
        try:
            if os.stat(path).st_size > LARGEST:
                raise NoResult(TOO_LARGE)
            with open(path, "rb") as stream:
                return stream.read()
        except IsADirectoryError:
            raise NoResult("%s is a folder; name the file in it" % shown) from None
        except FileNotFoundError:
            raise NoResult(
                "the command succeeded but wrote no %s%s" % (shown, self._elsewhere(path))
            ) from None
        except OSError as error:
            raise NoResult("%s cannot be read: %s" % (shown, error.strerror)) from None

    def _elsewhere(self, path: str) -> str:
        """Return a hint where the file was written relative to the folder in which the task started."""
        other = os.path.abspath(self._shown(path))  # from the folder in which tasks start
        if not self.folder or not os.path.isfile(other) or os.path.realpath(other) == os.path.realpath(path):
            return ""
        return " in the study's folder, from which `result` is named; it wrote %s" % self._shown(other)


def result_files(work: "Work", task: "Task") -> ResultFiles:
    """Return the files that the study names, with the task's values in their names."""
    files = [work["result"]] + work["result"].get("more", [])
    paths = [os.path.join(task.folders.study, fill_template(file["file"], task)) for file in files]
    return ResultFiles(work["result"], paths, [file.get("format", "") for file in files], task.folders.study)


def _state(path: str) -> "tuple[int, int]":
    try:
        stats = os.stat(path)
        return stats.st_size, stats.st_mtime_ns
    except OSError:
        return -1, -1


def result_from_output(record: "dict[str, Any]", stdout: bytes, kind: str) -> "tuple[bytes | None, bytes]":
    """Take the JSON, or Python literal, on the last line; return (bytes for the pack or None, the rest for the log)."""
    cut = stdout.rstrip().rfind(b"\n") + 1
    last = stdout[cut:].strip()
    ends = last[:1] + last[-1:]
    if ends == b"{}" or (kind == "json" and ends == b"[]"):
        if len(last) > LARGEST:
            raise NoResult(TOO_LARGE)
        return attach(record, _as_json(last, kind), "json"), stdout[:cut]
    if ends == b"[]" and _are_rows(last):
        return attach(record, last, "json"), stdout[:cut]
    if kind == "json":
        raise NoResult("no JSON object on the last line of the output")
    return None, stdout


def _are_rows(line: bytes) -> bool:
    """Return whether a line is a list of JSON objects: rows, and not only a list that a program prints."""
    if b"{" not in line or len(line) > LARGEST:
        return False
    try:
        judge(line, "json", {})
        value = parse_json(line)
    except NoResult:
        return False
    return bool(value) and all(type(row) is dict for row in value)


def _as_json(line: bytes, kind: str) -> bytes:
    """Return a line as JSON; raise NoResult where it is neither JSON nor a Python literal."""
    try:
        judge(line, "json", {})
        return line
    except NoResult as error:
        reason = error
    from packhorse.worker.results.literals import (
        literal_as_json,  # ast would add 3 ms to the start of every slot
    )

    try:
        found = literal_as_json(line.decode("utf-8")).encode("ascii")
        judge(found, "json", {})
        return found
    except (ValueError, TypeError, RecursionError) as error:
        if DICT.match(line):
            reason = NoResult("it is a Python dict that cannot be read: %s" % error)
    hint = "" if kind == "json" else "; if it is not a result, write result: none"
    raise NoResult("the last line is refused as a result: %s%s" % (reason, hint))


def attach_files(record: "dict[str, Any]", taken: "Taken") -> "bytes | None":
    """Put the content of one or several files into a record; return the bytes for the pack, or None."""
    if len(taken) == 1:
        return attach(record, taken[0][2], taken[0][1])
    record["parts"] = [[name, form, len(data)] for name, form, data in taken]
    return attach(record, b"".join(data for _, _, data in taken), "")


def attach(record: "dict[str, Any]", data: bytes, form: str) -> "bytes | None":
    """Put a short result into its record and return None; return a long one, for the pack."""
    if form:
        record["format"] = form
    if len(data) <= INLINE:
        try:
            record["text"] = data.decode("utf-8")
            return None
        except UnicodeDecodeError:
            pass
    return data


def fail_for_space(record: "dict[str, Any]") -> None:
    """Turn a record into a failure for lack of disk space: what the task wrote may be cut off, whatever its exit status."""
    for name in ("text", "format", "parts", "artifacts"):
        record.pop(name, None)
    cause = "No space left on device"
    if record.get("cause"):
        cause += ": " + record["cause"]
    record.update(outcome="FAILED", exit=record.get("exit", 0), cause=cause)
