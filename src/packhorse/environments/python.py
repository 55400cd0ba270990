"""Which Python a study's tasks get on a site: one that is there, one that a module or uv brings, or a built environment."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from packhorse.environments.building import Builder, Recipe
from packhorse.environments.lockfile import RequiredPackages
from packhorse.environments.site_probe import SiteProbe
from packhorse.model.errors import RunError
from packhorse.record.packages import PYTHON_PROBE
from packhorse.runtime.interpreter import Interpreter
from packhorse.text.amounts import counted

# Which of the modules named as arguments nothing would be found for; where one stands there are no modules of the study.
MISSING_PROBE = (
    "import sys,importlib.util as u;sys.path[:]=[p for p in sys.path if p];"
    "print('@packhorse',*[n for n in sys.argv[1:] if u.find_spec(n) is None])"
)
UV_SYNC = ("sync", "--frozen", "--no-install-workspace", "--compile-bytecode")
WHEELED = "wheels/lock.txt"  # in the claim, beside the wheels that were sent
OLD_PIP = (3, 9)  # the pip inside older Pythons does not know today's wheels


class FoundPython(Struct, frozen=True, kw_only=True):
    """The Python of the tasks, and what it says of itself."""

    interpreter: Interpreter
    software: dict[str, Any]  # as `packhorse.record` asks an interpreter
    told: dict[str, Any] = {}
    notes: tuple[str, ...] = ()


def named_python(ground: SiteProbe, word: str) -> FoundPython:
    """Return the interpreter that a study names; raise RunError with those that are there."""
    about = next(
        (one for one in ground.pythons if word in {one["called"], one["python"], Path(one["called"]).name}),
        None,
    )
    if about is None:
        there = "; ".join(f"{one['called']} ({one['version']})" for one in ground.pythons) or "none"
        raise RunError(
            f"environment: no Python {word} on {ground.site.name}",
            f"there are: {there}\nname one of them, or a module that brings it: cluster: {{modules: [...]}}",
        )
    return site_python(ground, about, kind="python")


def site_python(
    ground: SiteProbe, about: Mapping[str, Any], *, kind: str = "none", notes: Sequence[str] = ()
) -> FoundPython:
    """Return an interpreter of the site as it is."""
    python = about["python"]
    said = ground.ask([python, "-c", PYTHON_PROBE]).stdout
    if "@packhorse " not in said:
        raise RunError(
            f"{python} on {ground.site.name} does not tell what it has",
            "name another: environment: {python: ...}",
        )
    prefix = str(Path(python).parent.parent)
    variables: dict[str, str | None] = {}
    if kind != "none":
        variables = {"PYTHONHOME": None, "VIRTUAL_ENV": prefix if kind == "venv" else None}
    interpreter = Interpreter(
        kind=kind,
        python=python,
        path=() if kind == "none" else (str(Path(python).parent),),
        variables=variables,
        description=f"Python {about['version']} of {ground.site.name}, {python}",
    )
    return FoundPython(
        interpreter=interpreter, software=json.loads(said.rpartition("@packhorse ")[2]), notes=tuple(notes)
    )


def best_python(ground: SiteProbe, wanted: RequiredPackages) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the Python that fits best, and what is worth saying of it; raise RunError where none does.

    The version that the study has here comes first, since its packages and its numbers are known with that one.
    """
    least = max(wanted.oldest, _pair(wanted.minor)) if wanted.lock else wanted.oldest
    same, newer = _like(ground.pythons, wanted.minor), _newer(ground.pythons, least)
    if same is None and newer is None and _module_loaded(ground):
        same, newer = _like(ground.pythons, wanted.minor), _newer(ground.pythons, least)
    if same is not None:
        return same, ()
    if newer is None or wanted.strict or (wanted.lock is not None and ground.uv(bring=False)):
        fetched = _of_uv(ground, wanted)
        if fetched is not None:
            return fetched, ()
    other = newer or _newer(ground.pythons, wanted.oldest)
    if other is None or wanted.strict:
        raise _none_fits(ground, wanted)
    return other, (
        f"Python {other['version']} on {ground.site.name}, {wanted.minor} here",
    ) if wanted.lock else ()


def _module_loaded(ground: SiteProbe) -> bool:
    """Load the module that brings Python on this site, if its file names one and the study names none."""
    module = ground.site.modules.python
    if not module or ground.place.asked.modules or ground.modules:
        return False
    try:
        ground.load([module])
    except RunError as error:
        ground.reporter.say(error.message)
        ground.load()
    ground.find([], pythons=True)
    return True


def _of_uv(ground: SiteProbe, wanted: RequiredPackages) -> dict[str, Any] | None:
    try:
        return ground.python_of_uv(wanted.minor)
    except RunError as error:  # no uv is to be had either
        ground.reporter.say(error.message)
        return None


def _like(pythons: Sequence[dict[str, Any]], minor: str) -> dict[str, Any] | None:
    return next((one for one in pythons if one["version"].startswith(f"{minor}.")), None)


def _newer(pythons: Sequence[dict[str, Any]], oldest: tuple[int, int]) -> dict[str, Any] | None:
    """Return the first Python that is new enough: python3 itself, else the others by age."""
    return next((one for one in pythons if _pair(one["version"]) >= oldest), None)


def _pair(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (3, 6)


def _none_fits(ground: SiteProbe, wanted: RequiredPackages) -> RunError:
    there = ", ".join(dict.fromkeys(one["version"] for one in ground.pythons)) or "none"
    needs = wanted.minor if wanted.strict else f"{wanted.oldest[0]}.{wanted.oldest[1]} or newer"
    return RunError(
        f"the study needs Python {needs}; on {ground.site.name} there is {there}, and uv could not fetch one",
        "load a module that brings one, in the study:\n  cluster:\n    modules: [python]\n"
        f"packhorse shell {ground.site.name}, then module avail python, lists them",
    )


# Environments that are built


def built_python(ground: SiteProbe, builder: Builder, wanted: RequiredPackages) -> FoundPython:
    """Return an environment that is built from a lock, now unless it is there."""
    about, notes = best_python(ground, wanted)
    recipe = base_recipe(ground, wanted, about)
    whole = builder.whole(recipe.folder)
    if whole is None:
        with tempfile.TemporaryDirectory(prefix="packhorse-") as folder:
            whole = builder.get(complete_recipe(ground, recipe, wanted, about, Path(folder)))
    software = whole["found"]
    lock = wanted.lock
    made = f"{counted(lock.count, 'package')} of {Path(lock.path).name}" if lock else "no packages"
    described = f"Python {software['version']} with {made}, {recipe.folder} on {ground.site.name}"
    interpreter = _interpreter(recipe.folder, described)
    told = {"folder": recipe.folder, "lock": recipe.about, "built": whole["built"]}
    return FoundPython(interpreter=interpreter, software=software, told=told, notes=notes)


def expected_python(ground: SiteProbe, builder: Builder, wanted: RequiredPackages) -> FoundPython:
    """Return an environment that is there, or where it would be built, and then nothing is known of what is in it."""
    about, notes = best_python(ground, wanted)
    recipe = base_recipe(ground, wanted, about)
    if builder.whole(recipe.folder) is not None:
        return built_python(ground, builder, wanted)
    return FoundPython(
        interpreter=_interpreter(
            recipe.folder, f"{recipe.said}, to be built in {recipe.folder} on {ground.site.name}"
        ),
        software={},
        notes=notes,
    )


def _interpreter(folder: str, description: str) -> Interpreter:
    return Interpreter(
        kind="venv",
        python=f"{folder}/bin/python",
        path=(f"{folder}/bin",),
        variables={"PYTHONHOME": None, "VIRTUAL_ENV": folder},
        description=description,
    )


def base_recipe(ground: SiteProbe, wanted: RequiredPackages, about: Mapping[str, Any]) -> Recipe:
    """Return where an environment stands, which follows from its lock and its Python, and what is kept of it."""
    lock = wanted.lock
    kept: dict[str, Any] = {
        "lock": lock.digest if lock else "",
        "file": Path(lock.path).name if lock else "",
        "python": about["version"],
        "implementation": about["implementation"],
        "machine": about["machine"],
    }
    told = [kept[name] for name in ("lock", "python", "implementation", "machine")]
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
    said = f"{counted(lock.count, 'package')} of {kept['file']}" if lock else "no packages"
    return Recipe(
        folder=f"{ground.top}/environments/{digest}",
        about=kept,
        steps=(),
        said=f"Python {about['version']}, {said}",
    )


def complete_recipe(
    ground: SiteProbe, recipe: Recipe, wanted: RequiredPackages, about: Mapping[str, Any], folder: Path
) -> Recipe:
    """Return the recipe with its steps and files: by uv where there is one or it is needed, else by venv and pip."""
    from msgspec.structs import replace

    from packhorse.runtime.uv import export_lock

    lock = wanted.lock
    needs_uv = (lock is not None and lock.kind == "uv") or not about["venv"]
    uv = ground.uv(bring=needs_uv)
    python = about["python"]
    variables = {
        **ground.uv_variables,
        "LC_ALL": "C.UTF-8",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
    }
    # Were the environment taken away meanwhile, nothing may go into the Python that it was made of.
    variables |= {"VIRTUAL_ENV": "{final}", "PIP_REQUIRE_VIRTUALENV": "1"}
    # A site without a way out lets connections hang: few tries, each short, before its packages are fetched here.
    variables |= {
        "PIP_RETRIES": "2",
        "PIP_DEFAULT_TIMEOUT": "30",
        "UV_HTTP_TIMEOUT": "60",
        "UV_PROJECT_ENVIRONMENT": "{final}",
    }
    new = [uv, "venv", "--python", python, "{final}"] if uv else [python, "-m", "venv", "{final}"]
    first = {"about": "making the environment", "argv": new}
    if lock is None:
        return replace(recipe, steps=(first,), variables=variables)
    pip = [uv, "pip", "install", "--compile-bytecode"] if uv else _pip()
    install: dict[str, Any] = {"about": "installing packages"}
    here = [*pip, "--no-index", "--find-links", "{claim}/wheels", "--requirement", f"{{claim}}/{WHEELED}"]
    found = replace(recipe, variables=variables, offline=(first, {**install, "argv": here}))
    if lock.kind == "uv":
        texts = {f"project/{name}": text for name, text in {**lock.files, "uv.lock": lock.text}.items()}
        argv = [*UV_SYNC, "--project", "{claim}/project", "--python", python]
        return replace(
            found,
            steps=(first, {**install, "argv": [uv, *argv]}),
            files=_written(folder, texts),
            wheels=lambda: fetch_wheels(export_lock(Path(lock.path).parent, os.environ), about, folder),
        )
    steps: list[dict[str, Any]] = [first]
    if not uv and _pair(about["version"]) < OLD_PIP:
        steps.append({"about": "renewing pip", "argv": [*_pip(), "--upgrade", "pip"], "may_fail": True})
    return replace(
        found,
        steps=(*steps, {**install, "argv": [*pip, "--requirement", "{claim}/lock.txt"]}),
        files=_written(folder, {"lock.txt": lock.text}),
        wheels=lambda: fetch_wheels(lock.text, about, folder),
    )


def fetch_wheels(text: str, about: Mapping[str, Any], folder: Path) -> list[Path]:
    """Return the wheels of a lock in the words of pip, fetched here, and what pip is to install of them there."""
    from packhorse.runtime.uv import wheels_for

    found = wheels_for(text, about, folder, os.environ)
    kept = folder / Path(WHEELED).name
    kept.write_text(text, encoding="utf-8")
    return [*found, kept]


def _pip() -> list[str]:
    return ["{final}/bin/python", "-m", "pip", "install", "--progress-bar", "off"]


def _written(folder: Path, texts: Mapping[str, str]) -> tuple[tuple[str, Path], ...]:
    files = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        files.append((name, path))
    return tuple(files)


def check_imports(
    ground: SiteProbe,
    python: str,
    wanted: RequiredPackages,
    brings: Callable[[list[str]], Mapping[str, list[str]]],
) -> str:
    """Raise RunError where a package that is imported at once is not there, so that not every task has to find out.

    `brings` tells which packages bring modules; of those that nobody knows, a sentence is returned.
    """
    if not wanted.needs.certain:
        return ""
    said = ground.ask([python, "-c", MISSING_PROBE, *wanted.needs.certain]).stdout
    missing = said.rpartition("@packhorse")[2].split()
    if not missing:
        return ""
    known = brings(missing)
    script = Path(wanted.needs.files[0]).name
    sentence = f"{script} imports {', '.join(missing)}, which {python} on {ground.site.name} does not have"
    if not known:
        return sentence
    packages = ", ".join(dict.fromkeys(name for names in known.values() for name in names))
    if wanted.lock is not None:
        raise RunError(sentence, f"add {packages} to {wanted.lock.path}, each with its version")
    raise RunError(
        sentence,
        f"install {packages} there, or let Packhorse build the environment: leave out `environment`, or write\n"
        "  environment:\n    venv: .venv",
    )
