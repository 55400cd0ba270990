"""The values of one task, and the templates of arguments that they fill."""

import hashlib
import json
import os
import shlex
from json.encoder import encode_basestring_ascii as quoted

from packhorse.worker.space import literal, several_texts, spelling, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from packhorse.worker.space import Space
    from packhorse.worker.tasks.slot_folders import SlotFolders
    from packhorse.worker.work_file import Work


class Task(object):
    """All that one attempt may see: its parameters and what Packhorse adds."""

    def __init__(self, work: "Work", space: "Space", folders: "SlotFolders", index: int) -> None:
        self.index = index
        self.parameters, self.written, self.replicate, self.seed, self.seed32 = space.all_of(index)
        self.work = work
        self.folders = folders
        self.json_file = ""  # the file with `task_json`, where that is too long for a variable
        self.checkpoint: "str | None" = None
        if work["checkpoint"]:
            self.checkpoint = checkpoint_folder(work["directory"], space.key(index))

    def value(self, name: str) -> "Any":
        """Return the value of a placeholder."""
        if name in self.parameters:
            return self.parameters[name]
        if name.startswith(("output", "params.")):
            return os.path.join(self.folders.root, name)
        if name == "count":
            return self.work["total"]
        if name == "scratch":
            return self.folders.scratch
        if name == "deadline":
            return self.work.get("deadline") or ""
        if name == "checkpoint":
            return self.checkpoint or ""
        return getattr(self, name)

    def text(self, name: str) -> str:
        """Return the text of a placeholder: a parameter as it was written."""
        if name in self.written:
            return spelling(self.parameters[name], self.written[name])
        return text(self.value(name))


def checkpoint_folder(run: str, key: str) -> str:
    """Return the checkpoint folder of the task with this key; its index may change when the study grows."""
    name = hashlib.blake2b(key.encode("utf-8"), digest_size=8).hexdigest()
    return os.path.join(run, "checkpoints", name)


def task_json(task: Task) -> str:
    """Return what `packhorse.task` and packhorse.R read, as JSON.

    What varies is formatted into text that is the same for all tasks of a slot, as this is done for every task.
    """
    return '{"params":%s,"index":%d,"replicate":%d,"seed":%d,"seed32":%d,"checkpoint":%s,%s' % (
        "{%s}" % ",".join([quoted(name) + ":" + literal(value) for name, value in task.parameters.items()]),
        task.index,
        task.replicate,
        task.seed,
        task.seed32,
        json.dumps(task.checkpoint) if task.checkpoint else "null",
        task.folders.common_json(task.work),
    )


def fill_command(command: "list[list[Any]]", task: Task) -> "list[str]":
    """Return the arguments of one task."""
    arguments = []
    for parts in command:
        if len(parts) == 1 and type(parts[0]) is dict and ("switch" in parts[0] or "spread" in parts[0]):
            arguments.extend(_several(parts[0], task))
        else:
            arguments.append(fill_template(parts, task))
    if command and not (arguments and arguments[0]):
        raise ValueError("the command names no program")
    return arguments


def _several(part: "dict[str, Any]", task: Task) -> "list[str]":
    """Return the arguments of a switch, {--verbose}, or of a list, {layers...}."""
    name = part["name"]
    value = task.parameters[name]
    if "spread" in part:
        return several_texts(value, task.written.get(name))
    if value is not None and not isinstance(value, bool):
        raise ValueError("{%s} needs true or false, but %s is %s" % (part["switch"], name, task.text(name)))
    return [part["switch"]] if value else []


def fill_template(parts: "list[Any]", task: Task) -> str:
    """Return one argument: its literal strings and the values of its placeholders, joined."""
    texts = []
    for part in parts:
        if isinstance(part, dict) and ("switch" in part or "spread" in part):
            texts.append(" ".join([shlex.quote(word) for word in _several(part, task)]))  # in a shell's text
        elif isinstance(part, dict):
            name = part["name"]
            shown = format(task.value(name), part["spec"]) if part.get("spec") else task.text(name)
            texts.append(shlex.quote(shown) if part.get("quote") else shown)
        else:
            texts.append(part)
    return "".join(texts)
