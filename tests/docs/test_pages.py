"""The documentation is true: what it tells to type prints what it shows, and what it names is there."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import click
import pytest

from docs.pages import (
    CLUSTERED,
    LAPTOP,
    PAGES,
    PROGRESS,
    REFERENCE,
    ROOT,
    STANDIN,
    Command,
    File,
    anchors,
    links,
    matches,
    shell_lines,
    steps,
)
from packhorse.cli.commands import COMMANDS, packhorse

TUTORED = [
    page
    for page in PAGES
    if page not in {*CLUSTERED, *LAPTOP, *STANDIN} and any(isinstance(step, Command) for step in steps(page))
]


def named(page: Path) -> str:
    """Return a page's name for a test's."""
    return page.relative_to(ROOT).as_posix()


def parameter(page: Path) -> object:
    """Return a page as a parameter of a test, marked where it needs R."""
    text = page.read_text(encoding="utf-8")
    marks = [pytest.mark.r] if "Rscript" in text else []
    if re.search(r"library\((foreach|batchtools)\)|testthat::", text):
        marks.append(pytest.mark.rpackages)
    return pytest.param(page, id=named(page), marks=marks)


@pytest.mark.parametrize("page", [parameter(page) for page in TUTORED])
def test_every_console_block_prints_what_it_shows(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    for step in steps(page):
        if isinstance(step, File):
            path = folder / step.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.content, encoding="utf-8")
        else:
            follow(step, page, folder)


def follow(step: Command, page: Path, folder: Path) -> None:
    """Run a command of a page and compare."""
    # What a page's commands cache is theirs, so that a test does not see what an earlier one left.
    settings = {**os.environ, "XDG_CACHE_HOME": str(folder.parent / "cache"), "COLUMNS": "100"}
    done = subprocess.run(
        ["bash", "-c", step.text],
        cwd=folder,
        env=settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    place = f"{named(page)}:{step.line}"
    assert done.returncode == step.status, f"{place}: $ {step.text}\n{done.stdout}"
    if step.shown:
        shown = "\n".join(step.shown)
        printed = PROGRESS.sub("", done.stdout)
        assert matches(step.shown, printed), f"{place}: $ {step.text}\n{done.stdout}\nis not\n{shown}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        name, _, anchor = target.partition("#")
        goal = (page.parent / name).resolve() if name else page
        assert goal.exists(), f"{named(page)} links to {target}, which is not there"
        if anchor:
            assert anchor in anchors(goal), f"{named(page)} links to {target}; it has {sorted(anchors(goal))}"


def test_every_page_can_be_reached_from_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    seen, left = set(), [index]
    while left:
        page = left.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        left += [(page.parent / target.partition("#")[0]).resolve() for target in links(page)]
    lost = [named(page) for page in PAGES if page not in seen and page.name != "README.md"]
    assert not lost, f"no page links to {lost}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_and_options_that_a_page_names_exist(page: Path) -> None:
    for line in shell_lines(page):
        for said in re.findall(r"(?:^|[;&|(] *)packhorse +(.+)", line):
            check_line(said, f"{named(page)}: packhorse {said}")


def check_line(said: str, place: str) -> None:
    """Refuse a line whose command or options are not those of the command line."""
    words = re.split(r"\s+", re.sub(r"'[^']*'|#.*|[;|&].*", "", said).strip())
    if not words or words[0].startswith("-") or words[0].isupper():
        return
    assert words[0] in COMMANDS, f"{place}: no such command"
    words = words[: words.index("--")] if "--" in words else words  # what follows is a script's own
    script = [word for word in words[1:] if word.endswith((".py", ".R"))]
    own = words[1 : words.index(script[0])] if words[0] == "run" and script else words[1:]
    own = own[: own.index("--")] if "--" in own else own  # what follows is the job's
    root = click.Context(packhorse)
    command = packhorse.get_command(root, words[0])
    assert command is not None
    if isinstance(command, click.Group) and own and not own[0].startswith("-"):
        inner = command.get_command(root, own[0])
        assert inner is not None, f"{place}: no such command"
        command = inner
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help", "-h"}
    for word in own:
        option = word.split("=")[0]
        assert not option.startswith("-") or option in known, f"{place}: no option {option}"


def test_every_command_has_its_place_in_the_reference_and_in_a_page_that_uses_it() -> None:
    reference = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    used = [line for page in PAGES if page.parent != REFERENCE for line in shell_lines(page)]
    for name in COMMANDS:
        assert f"\n## packhorse {name}\n" in reference, f"make docs; {name} is not in docs/reference/cli.md"
        assert any(f"packhorse {name}" in line for line in used), f"no page shows packhorse {name}"


def test_wildcards_stand_for_part_of_a_line_or_for_lines() -> None:
    assert matches(("20 of ... done",), "20 of 20 done\n")
    assert matches(("a", "...", "d"), "a\nb\nc\nd\n")
    assert matches(("a", "..."), "a\n")
    assert not matches(("20 of ... done",), "20 of 20\ndone\n")
    assert not matches(("a",), "a\nb\n")
    assert not matches(("a", "b"), "a\n")
