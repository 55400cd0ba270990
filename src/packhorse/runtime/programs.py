"""Resolution of a command's first word to a program, and of a script to the program that runs it."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from packhorse.model.errors import RunError
from packhorse.runtime.interpreter import INSTALL_UV, PYTHON, Interpreter, behind_shim, executables

BUILTINS = {
    "cd",
    "source",
    ".",
    "export",
    "module",
    "set",
    "ulimit",
    "conda",
    "eval",
    "exec",
    "if",
    "for",
    "while",
}
HINTS = {
    "Rscript": "install R (sudo apt install r-base, brew install r), or load its module first: module load R",
    "R": "install R (sudo apt install r-base, brew install r), or load its module first: module load R",
    "julia": "install Julia, or load its module first: module load julia",
    "matlab": "load MATLAB's module first: module load matlab",
    "octave": "install GNU Octave (sudo apt install octave), or load its module first",
    "stata": "load Stata's module first: module load stata",
    "uv": INSTALL_UV,
}
BY_SUFFIX = {".r": "Rscript", ".jl": "julia", ".sh": "bash", ".bash": "bash", ".pl": "perl"}


class Program(Struct, frozen=True, kw_only=True):
    """A command with its first word resolved; `note` tells the user that the word was replaced."""

    argv: tuple[str, ...]
    note: str = ""


def resolve_command(
    argv: tuple[str, ...], interpreter: Interpreter, folder: Path, *, env: Mapping[str, str]
) -> Program:
    """Return the command with its first word resolved; raise RunError with the nearest names where it is unknown.

    Programs on PATH become absolute. Files of the project stay relative to `folder`, since each task starts in
    its own copy of that folder.
    """
    word, rest = argv[0], argv[1:]
    if "/" in word:
        return Program(argv=(_file(word, folder), *rest))
    if PYTHON.fullmatch(word) and interpreter.kind != "none" and word in {"python", "python3"}:
        return Program(argv=(interpreter.python, *rest))
    found = shutil.which(word, path=interpreter.environ(env).get("PATH", os.defpath))
    if found and PYTHON.fullmatch(word):
        found = behind_shim(found, folder, env)
    if found:
        return Program(argv=(os.path.abspath(found), *rest))
    if PYTHON.fullmatch(word):
        note = f"{word} is not on PATH; using {interpreter.python}"
        return Program(argv=(interpreter.python, *rest), note=note)
    if (folder / word).is_file():
        script = script_command(word, interpreter, folder, env=env)
        return Program(argv=(*script, *rest), note=f"running {word} as {shlex.join(script)}")
    raise _unknown_program(word, rest, folder, env)


def resolve_remote_command(
    argv: tuple[str, ...], interpreter: Interpreter, folder: Path, programs: Mapping[str, str]
) -> Program:
    """Return the command resolved for a site; raise RunError where its first word is known to be missing there.

    `programs` are the paths of programs on the site, "" for a missing one. A name that is not among them stays as it
    is, since only the jobs know which programs the environment modules add.
    """
    word, rest = argv[0], argv[1:]
    if "/" in word:
        return Program(argv=(_file(word, folder) if not word.startswith("/") else word, *rest))
    if PYTHON.fullmatch(word) and not (interpreter.kind == "none" and programs.get(word)):
        return Program(argv=(interpreter.python, *rest))
    if programs.get(word):
        return Program(argv=(programs[word], *rest))
    if (folder / word).is_file():
        suffix = Path(word).suffix.lower()
        runner = interpreter.python if suffix in {".py", ".pyw"} else BY_SUFFIX.get(suffix, "")
        script = (programs.get(runner) or runner, f"./{word}") if runner else (f"./{word}",)
        return Program(argv=(*script, *rest), note=f"running {word} as {shlex.join(script)}")
    if word in programs:
        raise RunError(
            f"{word} is not on the site's PATH",
            "name the module that provides it, in the study:\n  cluster:\n    modules: [R]",
        )
    return Program(argv=argv)


def script_command(
    script: str, interpreter: Interpreter, folder: Path, *, env: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the command that runs a script: the interpreter for its suffix, or the script itself if it is executable."""
    suffix = Path(script).suffix.lower()
    # The slash keeps a name such as -x.sh from being read as an option, and sim from being searched on PATH.
    written = script if "/" in script else f"./{script}"
    if not (folder / script).is_file():
        raise RunError(f"{script} does not exist", _nearest_files(script, folder))
    if suffix in {".py", ".pyw"}:
        return (interpreter.python, written)
    if suffix in BY_SUFFIX:
        program = resolve_command(
            (_shell(env) if suffix == ".sh" else BY_SUFFIX[suffix],), interpreter, folder, env=env
        )
        return (*program.argv, written)
    if os.access(folder / script, os.X_OK):
        return (written,)
    raise RunError(
        f"{script} is not executable, and its suffix is unknown",
        f"chmod +x {shlex.quote(script)}, or give the whole command: packhorse map 'PROGRAM {script}'",
    )


def _shell(env: Mapping[str, str]) -> str:
    return "bash" if shutil.which("bash", path=env.get("PATH", os.defpath)) else "sh"


def _file(word: str, folder: Path) -> str:
    place = folder / word
    if not place.is_file():
        raise RunError(f"{word}: no such program", _nearest_files(word, folder))
    if not os.access(place, os.X_OK):
        runner = {".py": "python ", **{end: f"{name} " for end, name in BY_SUFFIX.items()}}
        prefix = runner.get(place.suffix.lower(), "")
        hint = f"chmod +x {shlex.quote(word)}"
        hint += f", or write the command as: {prefix}{word}" if prefix else ""
        raise RunError(f"{word} is not executable", hint)
    return word


def _nearest_files(word: str, folder: Path) -> str:
    parent = (folder / word).parent
    names = sorted(entry.name for entry in parent.iterdir() if entry.is_file()) if parent.is_dir() else []
    near = difflib.get_close_matches(Path(word).name, names, n=3, cutoff=0.5)
    if not parent.is_dir():
        return f"the folder {parent} does not exist either"
    if near:
        return f"nearest names: {', '.join(near)}"
    return f"files in this folder: {', '.join(names[:8]) or 'none'}"


def _unknown_program(word: str, rest: tuple[str, ...], folder: Path, env: Mapping[str, str]) -> RunError:
    message = f"{word} not found: neither a program on PATH nor a file of the project"
    if re.match(r"[A-Za-z_]\w*=", word):
        name, _, value = word.partition("=")
        return RunError(message, f"set the variable in the study:\n  env:\n    {name}: {value}")
    if word in HINTS:
        return RunError(f"{word} not found", HINTS[word])
    if word in BUILTINS or {"|", ">", "&&", ";"} & set(rest):
        return RunError(
            f"{word} is shell syntax, not a program",
            "to run the command with a shell, write\n  shell: true",
        )
    files = {entry.name for entry in folder.iterdir() if entry.is_file()} if folder.is_dir() else set()
    near = difflib.get_close_matches(word, sorted(executables(env) | files), n=3, cutoff=0.6)
    hint = f"nearest names: {', '.join(near)}" if near else "install it, load its module, or give its path"
    return RunError(message, hint)
