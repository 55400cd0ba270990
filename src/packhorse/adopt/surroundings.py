"""What a script takes from the place where it was submitted: variables, its start folder, paths into the project."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from packhorse.adopt.job import ALL_INDEX_NAMES, AdoptedJob
from packhorse.adopt.recordable import set_names
from packhorse.jobscript.shell import Use

# Sites, modules and the shell set variables in capitals; a name with a small letter is the author's own.
_OWN = re.compile(r"[A-Za-z_]\w*[a-z]\w*|[a-z]")
_ENVIRONMENT = re.compile(r"(?:http|https|ftp|no)_proxy|_")
_USUAL = {
    *("HOME", "USER", "LOGNAME", "PATH", "PWD", "OLDPWD", "SHELL", "HOSTNAME", "HOST", "TMPDIR", "TMP", "TEMP", "LANG"),
    *("UID", "EUID", "RANDOM", "SECONDS", "LINENO", "PPID", "BASHPID", "BASH", "BASH_SOURCE", "BASH_VERSION", "IFS"),
    *("FUNCNAME", "OPTARG", "OPTIND", "PIPESTATUS", "REPLY", "TERM", "DISPLAY", "EPOCHSECONDS", "OSTYPE"),
    *("HOSTTYPE", "GROUPS", "LD_LIBRARY_PATH", "PYTHONPATH", "MANPATH", "R_LIBS", "R_LIBS_USER", "SCRATCH", "WORK"),
}  # fmt: skip
_SCHEDULER = re.compile(
    r"SLURM|PBS_|SGE_|NSLOTS$|NCPUS$|JOB_|PACKHORSE_|CONDA_|CUDA_|OMP_|MKL_|LMOD|EB\w+ROOT"
)
# A file that a script reads into its shell may set any variable; those of environments set none of the author's.
_HARMLESS = re.compile(r"activate$|bashrc$|bash_profile$|profile(?:\.d/|$)|/init/|conda\.sh$|setvars\.sh$")
_COUNTED = re.compile(r"([A-Za-z_]\w*)[ \t]*(?:[-+*]=|\+\+|--)")  # a counter that begins at 0
_ABSOLUTE = re.compile(r"(?<![\w.$}/:~*-])(?:/|\$\{?HOME\}?/|~/)[^\s\"'`;|&<>(){}$]+")


def missing_variables(job: AdoptedJob) -> tuple[list[Use], list[Use]]:
    """Return the first uses of variables that nothing sets: those of the author's own, and those that a site may set."""
    known = {*set_names(job), *job.constants, *job.own_variables, *ALL_INDEX_NAMES, *_USUAL}
    known |= {one.name for one in job.shell.assignments} | set(_COUNTED.findall(job.script.text))
    guarded = {use.name for use in job.shell.uses if use.guarded}
    found: dict[str, Use] = {}
    for use in job.shell.uses:
        if use.name in known | guarded or not re.fullmatch(r"[A-Za-z_]\w*", use.name):
            continue
        if not _SCHEDULER.match(use.name) and not _ENVIRONMENT.fullmatch(use.name):
            found.setdefault(use.name, use)
    sure = not job.shell.errors and not _reads_settings(job)
    authors = [use for use in found.values() if sure and _OWN.fullmatch(use.name)]
    return authors, [use for use in found.values() if use not in authors]


def _reads_settings(job: AdoptedJob) -> bool:
    return any(
        one.name in {"source", ".", "eval"} and not any(_HARMLESS.search(word.text) for word in one.words[1:])
        for one in job.shell.commands
    )


def starts_in_home(job: AdoptedJob) -> bool:
    """Return whether a PBS job starts in the home directory and does not change to the folder of its submission."""
    if job.script.dialect != "pbs" or job.start:
        return False
    return not any(one.name in {"cd", "pushd"} for one in job.shell.commands)


def project_paths(job: AdoptedJob, folders: tuple[str, ...], home: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each path in a script that names one of `folders` or what is in it.

    `home` stands for ~ and $HOME. Lines of `cd` are not among them.
    """
    changes = {one.line for one in job.shell.commands if one.name in {"cd", "pushd"}}
    for line in job.script.lines[1:]:
        if line.text.lstrip().startswith("#") or line.number in changes:
            continue
        for match in _ABSOLUTE.finditer(line.text):
            path = re.sub(r"^(?:\$\{?HOME\}?|~)", lambda _: home, match[0])
            plain = posixpath.normpath(path)
            if any(plain == one or plain.startswith(one + "/") for one in folders):
                yield line.number, match[0]


def surroundings_notes(job: AdoptedJob, root: str, was: str, home: str) -> list[str]:
    """Return sentences on what differs between the script's job and its tasks; `root` is the project's folder."""
    notes = []
    if starts_in_home(job):
        notes.append(
            "qsub starts this script in the home directory; tasks start in the folder of the study, from which"
            " its relative paths are taken"
        )
    folders = tuple(
        posixpath.normpath(re.sub(r"^(?:\$\{?HOME\}?|~)(?=/)", lambda _: home, one))
        for one in (root, was)
        if one
    )
    for line, path in list(dict.fromkeys(project_paths(job, folders, home)))[:5]:
        notes.append(
            f"line {line}: {path} names the project itself, not the copy in which a task works; code that runs"
            " from there is not recorded, and files written there are no results: a relative path is better"
        )
    _, others = missing_variables(job)
    for use in others[:5]:
        notes.append(
            f"line {use.line}: {use.name} is not set in the script; if it was on the submit line"
            f" (sbatch --export, qsub -v): --variable {use.name}=VALUE"
        )
    return notes
