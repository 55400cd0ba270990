"""What kind of file a name tells of: whether tasks may read it, or it is a by-product of work."""

from __future__ import annotations

import fnmatch
import posixpath
import re

# Files that programs write for people: no digest counts them, and no task is taken to depend on them.
LOGS = (
    "*.log",
    "*.Rout",
    "nohup.out",
    "log.txt",
    "stdout.txt",
    "stderr.txt",
    "slurm-*.out",
    "slurm-*.err",
    "*.[oe][0-9]*",
    ".Rhistory",
)
EDITOR_FILES = (
    "*~",
    "#*#",
    ".#*",
    "*.sw[a-p]",
    "*.bak",
    "*.orig",
    "*.rej",
    "*.pyc",
    ".DS_Store",
    "*.aux",
    "*.tmp",
)
EDITOR_FOLDERS = {".idea", ".vscode", ".ipynb_checkpoints", ".Rproj.user", ".spyproject", "__pycache__"}
# By-products that a task may also read: what counts is whether finished tasks were seen to read them.
PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".svg", ".eps", ".ps", ".tif", ".tiff", ".bmp", ".webp"}
ARCHIVES = {".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".zst", ".rar"}
DATA_ARCHIVE = re.compile(
    r"\.(csv|tsv|txt|dat|json|ndjson|nii|fits?|vcf|fasta|fastq|fa|fq|rds)\.(gz|bz2|xz|zst)$"
)
OUTPUT_FOLDERS = {"results", "result", "output", "outputs", "out", "figures", "figs", "plots", "logs", "log"}
NOTES = {"notes.txt", "todo.txt", "todo", "notes"}
SOURCES = {
    *(
        ".py",
        ".pyx",
        ".r",
        ".rmd",
        ".qmd",
        ".jl",
        ".sh",
        ".bash",
        ".pl",
        ".rb",
        ".lua",
        ".js",
        ".m",
        ".do",
        ".sas",
    ),
    *(
        ".c",
        ".h",
        ".cc",
        ".cpp",
        ".hpp",
        ".cu",
        ".f",
        ".f90",
        ".f95",
        ".rs",
        ".go",
        ".java",
        ".scala",
        ".stan",
    ),
    *(".bugs", ".jags", ".nlogo", ".sql", ".toml", ".yaml", ".yml", ".json", ".ini", ".cfg", ".txt", ".mk"),
}


def is_byproduct(path: str) -> bool:
    """Return whether a path names a log or a file of an editor."""
    parts = path.split("/")
    if EDITOR_FOLDERS.intersection(parts[:-1]):
        return True
    return any(fnmatch.fnmatchcase(parts[-1], pattern) for pattern in (*LOGS, *EDITOR_FILES))


def may_be_input(path: str) -> bool:
    """Return whether a task may read a file of this name, where reads were not seen: not a picture, archive or output."""
    name = posixpath.basename(path).lower()
    suffix = posixpath.splitext(name)[1]
    if is_byproduct(path) or name in NOTES or OUTPUT_FOLDERS.intersection(path.lower().split("/")[:-1]):
        return suffix in {".py", ".r", ".jl"} and not is_byproduct(path)
    return suffix not in PICTURES and (suffix not in ARCHIVES or bool(DATA_ARCHIVE.search(name)))


def is_source(path: str) -> bool:
    """Return whether a path names text whose changes people read as a diff."""
    name = posixpath.basename(path).lower()
    return posixpath.splitext(name)[1] in SOURCES or name in {"makefile", "snakefile", "dockerfile"}
