"""Plain English: retired words are no names, and texts of some folders keep to the forms of technical English.

The glossary in docs/design.md has the words that take the place of the retired ones.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "packhorse"
DOCS = ROOT / "docs"

# The folders that are held to this, below src/packhorse.
CHECKED = (
    "app",
    "cli",
    "cluster",
    "environments",
    "execution",
    "model",
    "preflight",
    "project",
    "record",
    "remote",
    "results",
    "rundata",
    "rundir",
    "runtime",
    "sites",
    "snapshot",
    "ssh",
    "study",
    "text",
    "agent",
    "plan",
    "schedulers",
    "worker",
    "jobscript",
    "lint",
    "check",
)

# Names of modules, classes, functions, arguments and local variables that are no longer used, and what is.
RETIRED = {
    "abroad": "remote environment",
    "afar": "RemoteTaskEnvironment",
    "ahead": "prefetch",
    "arriving": "site setup",
    "beforehand": "preplanned",
    "brought": "script inputs",
    "byhand": "job lookup",
    "carrier": "RunStore",
    "carrying": "transfer",
    "ground": "site probe",
    "mirror": "RemoteRunStore",
    "porter": "remote agent",
    "said": "text, value or reply",
    "standing": "job state, sandbox",
    "surroundings": "TaskEnvironment",
    "talk": "dialogue",
    "telling": "provenance, facts",
    "unsayable": "unsupported",
    "unsure": "SubmissionUnknown",
    "wish": "options",
}
# Words that are no names by themselves, though they may be a part of one. Fields of classes are not held to this: they
# are keys of files and of what --json prints.
VAGUE = {
    "far": "a store or transport answers for itself",
    "heads": "script headers",
    "kept": "what it is",
    "much": "ANNOUNCE_BYTES",
    "own": "script_job, or what it is",
    "room": "free space",
    "saying": "text, value or reply",
    "spool": "job output",
    "stand": "create_sandbox",
    "story": "wave history",
    "there": "transport, or what it is",
    "told": "reply, or what it is",
    "turns": "session slots",
    "words": "outcomes, or what they are",
}

THINGS = "(tasks|jobs|files|waves|nodes|cores|elements|workers|modules|packages|partitions|attempts|records)"
# Forms that technical English does not use. Texts are strings, docstrings and help.
FORMS = [
    (r"\b(nobody|somebody|whoever|whom|anew|shall)\b", "name the agent; must or will; again"),
    (r"(?<!\bthere )(?<!\bThere )\b(is|are) no (?!longer\b|more than\b)", "not, with the verb"),
    (r"\b(is|are) to (be|wait|go|have)\b", "must, or will"),
    (r"\b(goes|go) along\b", "is uploaded with"),
    (r"\bstands? for\b", "is, means"),
    (r"\b(stands?|stood) (beside|below|above|there|here|in it)\b", "is"),
    (r"\bcome to stand\b", "is"),
    (r"(?<=\w)  +(?=[a-z])", "one blank"),
    (rf"\{{(?![A-Z_]+\}})[^{{}}]*\}} {THINGS}\b|%,?d {THINGS}\b", "1 tasks: use counted()"),
]


def checked() -> list[Path]:
    """Return the files of the folders that are held to this."""
    return sorted(path for folder in CHECKED for path in (SOURCE / folder).rglob("*.py"))


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of every class, function, argument and variable, without fields of classes."""
    fields = {
        id(node.target)
        for kind in ast.walk(tree)
        if isinstance(kind, ast.ClassDef)
        for node in kind.body
        if isinstance(node, ast.AnnAssign)
    }
    for node in ast.walk(tree):
        if id(node) in fields:
            continue
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every string; the parts of a formatted one are in braces."""
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inner |= {id(part) for part in ast.walk(node)}
            parts = (
                part.value if isinstance(part, ast.Constant) else "{" + ast.unparse(part.value) + "}"  # type: ignore[attr-defined]
                for part in node.values
            )
            yield node.lineno, "".join(parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node.lineno, node.value


def words_of(name: str) -> set[str]:
    """Return the words of a name such as `_sites_of` or `RunStore`."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


@functools.cache
def sources() -> dict[str, tuple[str, ast.Module]]:
    """Return the text and the syntax tree of each file that is held to this."""
    found = {str(path.relative_to(SOURCE)): path.read_text(encoding="utf-8") for path in checked()}
    return {name: (text, ast.parse(text)) for name, text in found.items()}


def test_retired_words_are_no_names() -> None:
    wrong = []
    for file, (_, tree) in sources().items():
        found = [(0, Path(file).stem), *names(tree)]
        wrong += [
            f"{file}:{line}: {name} ({RETIRED[word]})"
            for line, name in found
            for word in words_of(name) & RETIRED.keys()
        ]
        wrong += [f"{file}:{line}: {name} ({VAGUE[name]})" for line, name in found if name in VAGUE]
    assert wrong == []


def test_texts_are_plain() -> None:
    assert [
        f"{file}:{line}: {fault}"
        for file, (_, tree) in sources().items()
        for line, text in texts(tree)
        for fault in faults(text)
    ] == []


def test_comments_are_plain() -> None:
    assert [
        f"{file}:{number}: {fault}"
        for file, (text, _) in sources().items()
        for number, line in enumerate(text.splitlines(), 1)
        if "# " in line
        for fault in faults(line.partition("# ")[2])
    ] == []


def pages() -> list[Path]:
    """Return the pages of the documentation."""
    return sorted(DOCS.rglob("*.md"))


def test_pages_are_plain() -> None:
    wrong = []
    for path in pages():
        prose = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        lines = [line for line in prose.splitlines() if line[:1] != "|"]
        wrong += [f"{path.relative_to(DOCS)}: {fault}" for line in lines for fault in faults(line)]
    assert wrong == []


def faults(text: str) -> Iterator[str]:
    """Yield the forms in a text that technical English does not use, and what to write."""
    # Examples under \b keep their columns, and a literal \b would be shown to the user.
    prose = re.sub(r"\x08\n.*?(\n\s*\n|$)", "", text, flags=re.DOTALL)
    if "\\b\n" in prose:
        yield r"a literal \b: write it once"
    for form, instead in FORMS:
        for match in re.finditer(form, prose):
            yield f"{match[0]!r} in {' '.join(prose.split())[:80]!r}: {instead}"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("nobody knows", 1),
        ("the job shall run", 1),
        ("this is no number", 1),
        ("it is no longer there", 0),
        ("there is no such site", 0),
        ("checks are to be run", 1),
        ("two  blanks", 1),
        ("{len(tasks)} tasks", 1),
        ("{done:,} of {study.tasks} tasks", 1),
        ("at most {MAX_FILES} files", 0),
        ("%d jobs are left", 1),
        ("a job\n\x08\nls  -l\n\nmore", 0),
        ("a job\n\\b\nls", 1),
    ],
)
def test_forms_are_found(text: str, number: int) -> None:
    assert len(list(faults(text))) == number
