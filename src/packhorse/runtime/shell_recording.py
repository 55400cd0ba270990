"""Record the commands of a shell script for each index of its array, without running programs.

The script runs in bash with a PATH of filters that only read (sed, awk, seq), and every other command is recorded with its
arguments instead. Existing files are not overwritten (noclobber); a script that may write is refused before.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

SECONDS = 60.0
MOST_BYTES = 64 << 20

# Filters: they read files or their input, and print. `packhorse.adopt.recordable` refuses arguments with which they write.
FILTERS = (
    *("awk", "gawk", "mawk", "basename", "bc", "cat", "cut", "dirname", "egrep", "expr", "fgrep", "grep", "head", "ls"),
    *("nl", "paste", "printf", "rev", "sed", "seq", "sort", "tac", "tail", "tr", "true", "false", "uniq", "wc", "jq"),
)  # fmt: skip

# __ph_end separates records. The fields: index, folder, number of arguments, arguments, input, NAME=value of exported names.
_PRELUDE = r"""
exec 9>&1 1>/dev/null
set -C
ulimit -f 128
__ph_record() {
  local input='' name; local -a exported=()
  case ${1##*/} in parallel|xargs) input=$(cat) ;; esac
  for name in $__ph_names; do [ -n "${!name+x}" ] && exported+=("$name=${!name}"); done
  printf '%s\0' "$__ph_index" "$PWD" "$#" "$@" "$input" "${exported[@]}" __ph_end >&9
}
command_not_found_handle() { __ph_record "$@"; }
source() { __ph_record source "$@"; }
.() { __ph_record source "$@"; }
exec() { if [ $# -gt 0 ]; then __ph_record "$@"; exit 0; fi; }
cd() { __ph_record cd "$@"; builtin cd "$@"; }
trap() { :; }
sleep() { :; }
"""


class Recorded(Struct, frozen=True, kw_only=True):
    """A command that a script would have started: its arguments, its folder, its input, and exported variables."""

    argv: tuple[str, ...]
    folder: str
    input: str = ""
    exported: dict[str, str] = {}


def record_commands(
    text: str,
    indices: Sequence[Mapping[str, str]],
    *,
    arguments: Sequence[str],
    folder: Path,
    commands: Iterable[str],
    exported: Iterable[str],
) -> list[list[Recorded]] | None:
    """Return the commands of a script for each of its indices; None where bash is missing, late or fails.

    `indices` are the variables of each task, `folder` is where the script starts, `commands` are names with a slash that
    must not run, and `exported` the names of variables that it exports.
    """
    bash = shutil.which("bash")
    if bash is None:
        return None
    with tempfile.TemporaryDirectory(prefix="packhorse-adopt-") as scratch:
        filters = Path(scratch, "bin")
        filters.mkdir()
        for name in FILTERS:
            if path := shutil.which(name):
                (filters / name).symlink_to(path)
        script = Path(scratch, "script")
        script.write_text(text, encoding="utf-8", errors="surrogateescape")
        driver = [_PRELUDE, f"__ph_names={shlex.quote(' '.join(exported))}"]
        driver += [
            f'{name}() {{ __ph_record {name} "$@"; }}'
            for name in commands
            if re.fullmatch(r"[\w.+-]*/[\w./+-]*", name)
        ]
        source = f"builtin source {shlex.quote(str(script))} {shlex.join(arguments)}"
        for number, variables in enumerate(indices):
            given = "; ".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
            driver.append(f"( __ph_index={number}; {given}; {source} ) 2>/dev/null </dev/null")
        return _run(bash, "\n".join(driver), filters, folder, len(indices))


def _run(bash: str, driver: str, filters: Path, folder: Path, count: int) -> list[list[Recorded]] | None:
    environ = {"PATH": str(filters), "HOME": "/nonexistent", "LC_ALL": os.environ.get("LC_ALL", "C.UTF-8")}
    program = filters.parent / "driver"
    program.write_text(driver, encoding="utf-8", errors="surrogateescape")
    try:
        done = subprocess.run(
            [bash, "--norc", "--noprofile", str(program)],
            cwd=folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except (subprocess.TimeoutExpired, OSError):
        return None
    if len(done.stdout) > MOST_BYTES:
        return None
    return _parsed(done.stdout, count)


def _parsed(data: bytes, count: int) -> list[list[Recorded]] | None:
    found: list[list[Recorded]] = [[] for _ in range(count)]
    fields = data.decode("utf-8", "surrogateescape").split("\0")
    at = 0
    try:
        while at < len(fields) - 1:
            number, folder, size = int(fields[at]), fields[at + 1], int(fields[at + 2])
            argv = tuple(fields[at + 3 : at + 3 + size])
            end = fields.index("__ph_end", at + 4 + size)
            pairs = (one.partition("=") for one in fields[at + 4 + size : end])
            exported = {name: value for name, _, value in pairs}
            found[number].append(
                Recorded(argv=argv, folder=folder, input=fields[at + 3 + size], exported=exported)
            )
            at = end + 1
    except (ValueError, IndexError):
        return None
    return found
