"""The Python of a study's tasks on a site: one of the site, of a module or of uv, or a built environment."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from packhorse.environments.building import Builder, Recipe, Step
from packhorse.environments.environment_file import BuiltFrom
from packhorse.environments.lockfile import RequiredPackages
from packhorse.environments.site_probe import SiteProbe
from packhorse.model.errors import RunError
from packhorse.model.site_python import SitePython
from packhorse.record.packages import PYTHON_PROBE, parse_python_reply
from packhorse.record.software import PythonSoftware
from packhorse.runtime.interpreter import Interpreter
from packhorse.runtime.uv import export_lock, wheels_for
from packhorse.text.amounts import counted

# Prints which of its arguments cannot be imported as modules. The working directory is taken off the path, since the
# study's own modules are not there.
MISSING_PROBE = (
    "import sys,importlib.util as u;sys.path[:]=[p for p in sys.path if p];"
    "print('@packhorse',*[n for n in sys.argv[1:] if u.find_spec(n) is None])"
)
UV_SYNC = ("sync", "--frozen", "--no-install-workspace", "--compile-bytecode")
PIP = ("{final}/bin/python", "-m", "pip", "install", "--progress-bar", "off")
INSTALLING = "installing packages"
WHEELS_LOCK = "wheels/lock.txt"  # in the claim, with the uploaded wheels
OLD_PIP = (3, 9)  # older Pythons include a pip that cannot read current wheels


class Origin(Struct, frozen=True, kw_only=True):
    """The environment that Packhorse has built on a site: its folder, its lock, and when it was built in Unix seconds."""

    folder: str
    lock: BuiltFrom
    built: float


class FoundPython(Struct, frozen=True, kw_only=True):
    """The Python of the tasks, and what it reports about itself; None for one that is not built yet."""

    interpreter: Interpreter
    software: PythonSoftware | None
    origin: Origin | None = None
    notes: tuple[str, ...] = ()


def named_python(probe: SiteProbe, name: str) -> FoundPython:
    """Return the interpreter that a study names; raise RunError with the site's interpreters where it does not exist."""
    for python in probe.pythons:
        if name in {python.called, python.python, Path(python.called).name}:
            return site_python(probe, python, kind="python")
    known = "; ".join(f"{python.called} ({python.version})" for python in probe.pythons) or "none"
    raise RunError(
        f"environment: no Python {name} on {probe.site.name}",
        f"there are: {known}\nname one of them, or a module that provides it: cluster: {{modules: [...]}}",
    )


def site_python(
    probe: SiteProbe, about: SitePython, *, kind: str = "none", notes: Sequence[str] = ()
) -> FoundPython:
    """Return an interpreter of the site as it is."""
    python = about.python
    software = parse_python_reply(probe.ask([python, "-c", PYTHON_PROBE]).stdout)
    if software is None:
        raise RunError(
            f"{python} on {probe.site.name} does not report its version and packages",
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
        description=f"Python {about.version} of {probe.site.name}, {python}",
    )
    return FoundPython(interpreter=interpreter, software=software, notes=tuple(notes))


def best_python(probe: SiteProbe, required: RequiredPackages) -> tuple[SitePython, tuple[str, ...]]:
    """Return the Python that fits best, and notes on it; raise RunError where none fits.

    The version that the study has on this machine comes first, since packages and numbers are known with that one.
    """
    least = max(required.oldest, _minor(required.minor)) if required.lock else required.oldest
    same, newer = _same_minor(probe.pythons, required.minor), _new_enough(probe.pythons, least)
    if same is None and newer is None and _load_module(probe):
        same, newer = _same_minor(probe.pythons, required.minor), _new_enough(probe.pythons, least)
    if same is not None:
        return same, ()
    if newer is None or required.strict or (required.lock is not None and probe.uv(upload=False)):
        of_uv = _python_of_uv(probe, required)
        if of_uv is not None:
            return of_uv, ()
    other = newer or _new_enough(probe.pythons, required.oldest)
    if other is None or required.strict:
        raise _none_fits(probe, required)
    notes = (f"Python {other.version} on {probe.site.name}, {required.minor} here",)
    return other, notes if required.lock else ()


def _load_module(probe: SiteProbe) -> bool:
    """Load the site's module for Python, if its file names one and the study none; return whether it was tried."""
    module = probe.site.modules.python
    if not module or probe.place.asked.modules or probe.modules:
        return False
    try:
        probe.load([module])
    except RunError as error:
        probe.reporter.say(error.message)
        probe.load()
    probe.find([], pythons=True)
    return True


def _python_of_uv(probe: SiteProbe, required: RequiredPackages) -> SitePython | None:
    try:
        return probe.python_of_uv(required.minor)
    except RunError as error:  # uv is not available either
        probe.reporter.say(error.message)
        return None


def _same_minor(pythons: Sequence[SitePython], minor: str) -> SitePython | None:
    return next((python for python in pythons if python.version.startswith(f"{minor}.")), None)


def _new_enough(pythons: Sequence[SitePython], oldest: tuple[int, int]) -> SitePython | None:
    """Return the first Python that is new enough; the site reports python3 first, then the others by age."""
    return next((python for python in pythons if _minor(python.version) >= oldest), None)


def _minor(version: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (3, 6)


def _none_fits(probe: SiteProbe, required: RequiredPackages) -> RunError:
    versions = ", ".join(dict.fromkeys(python.version for python in probe.pythons)) or "none"
    needs = required.minor if required.strict else f"{required.oldest[0]}.{required.oldest[1]} or newer"
    return RunError(
        f"the study needs Python {needs}; {probe.site.name} has {versions}, and uv could not download one",
        "load a module that provides one, in the study:\n  cluster:\n    modules: [python]\n"
        f"packhorse shell {probe.site.name}, then module avail python, lists them",
    )


# Built environments


def built_python(probe: SiteProbe, builder: Builder, required: RequiredPackages) -> FoundPython:
    """Return the environment of a lock, which is built where it does not exist."""
    about, notes = best_python(probe, required)
    recipe = base_recipe(probe, required, about)
    found = builder.find(recipe.folder)
    if found is None:
        with tempfile.TemporaryDirectory(prefix="packhorse-") as folder:
            found = builder.get(complete_recipe(probe, recipe, required, about, Path(folder)))
    packages = _packages(required)
    description = f"Python {found.found.version} with {packages}, {recipe.folder} on {probe.site.name}"
    origin = Origin(folder=recipe.folder, lock=recipe.about, built=found.built)
    interpreter = _interpreter(recipe.folder, description)
    return FoundPython(interpreter=interpreter, software=found.found, origin=origin, notes=notes)


def _packages(required: RequiredPackages) -> str:
    lock = required.lock
    return f"{counted(lock.count, 'package')} of {Path(lock.path).name}" if lock else "no packages"


def expected_python(probe: SiteProbe, builder: Builder, required: RequiredPackages) -> FoundPython:
    """Return the environment of a lock without building it; one that does not exist has no software."""
    about, notes = best_python(probe, required)
    recipe = base_recipe(probe, required, about)
    if builder.find(recipe.folder) is not None:
        return built_python(probe, builder, required)
    description = f"{recipe.description}, to be built in {recipe.folder} on {probe.site.name}"
    return FoundPython(interpreter=_interpreter(recipe.folder, description), software=None, notes=notes)


def _interpreter(folder: str, description: str) -> Interpreter:
    return Interpreter(
        kind="venv",
        python=f"{folder}/bin/python",
        path=(f"{folder}/bin",),
        variables={"PYTHONHOME": None, "VIRTUAL_ENV": folder},
        description=description,
    )


def base_recipe(probe: SiteProbe, required: RequiredPackages, python: SitePython) -> Recipe:
    """Return a recipe without steps: its folder, which depends on the lock and the Python, and what is saved with it."""
    lock = required.lock
    about = BuiltFrom(
        lock=lock.digest if lock else "",
        file=Path(lock.path).name if lock else "",
        python=python.version,
        implementation=python.implementation,
        machine=python.machine,
    )
    identity = [about.lock, about.python, about.implementation, about.machine]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
    return Recipe(
        folder=f"{probe.top}/environments/{digest}",
        about=about,
        steps=(),
        description=f"Python {python.version}, {_packages(required)}",
    )


def complete_recipe(
    probe: SiteProbe, recipe: Recipe, required: RequiredPackages, python: SitePython, folder: Path
) -> Recipe:
    """Return the recipe with its steps and files: with uv where the site has it or it is needed, else venv and pip."""
    lock = required.lock
    needs_uv = (lock is not None and lock.kind == "uv") or not python.venv
    uv = probe.uv(upload=needs_uv)
    variables = {
        **probe.uv_variables,
        "LC_ALL": "C.UTF-8",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
    }
    # If the environment is removed meanwhile, pip must not install into the Python that it was made from.
    variables |= {"VIRTUAL_ENV": "{final}", "PIP_REQUIRE_VIRTUALENV": "1"}
    # Without a route out, connections hang: few short tries before the packages are downloaded here.
    variables |= {
        "PIP_RETRIES": "2",
        "PIP_DEFAULT_TIMEOUT": "30",
        "UV_HTTP_TIMEOUT": "60",
        "UV_PROJECT_ENVIRONMENT": "{final}",
    }
    path = python.python
    new = (uv, "venv", "--python", path, "{final}") if uv else (path, "-m", "venv", "{final}")
    first = Step(about="creating the environment", argv=new)
    if lock is None:
        return replace(recipe, steps=(first,), variables=variables)
    pip = (uv, "pip", "install", "--compile-bytecode") if uv else PIP
    offline = (*pip, "--no-index", "--find-links", "{claim}/wheels")
    offline += ("--requirement", f"{{claim}}/{WHEELS_LOCK}")
    recipe = replace(recipe, variables=variables, offline=(first, Step(about=INSTALLING, argv=offline)))
    if lock.kind == "uv":
        texts = {f"project/{name}": text for name, text in {**lock.files, "uv.lock": lock.text}.items()}
        argv = (uv, *UV_SYNC, "--project", "{claim}/project", "--python", path)
        return replace(
            recipe,
            steps=(first, Step(about=INSTALLING, argv=argv)),
            files=_write_files(folder, texts),
            wheels=lambda: fetch_wheels(export_lock(Path(lock.path).parent, os.environ), python, folder),
        )
    steps = [first]
    if not uv and _minor(python.version) < OLD_PIP:
        steps.append(Step(about="upgrading pip", argv=(*PIP, "--upgrade", "pip"), may_fail=True))
    return replace(
        recipe,
        steps=(*steps, Step(about=INSTALLING, argv=(*pip, "--requirement", "{claim}/lock.txt"))),
        files=_write_files(folder, {"lock.txt": lock.text}),
        wheels=lambda: fetch_wheels(lock.text, python, folder),
    )


def fetch_wheels(text: str, python: SitePython, folder: Path) -> list[Path]:
    """Download the wheels of a lock in pip's format to this machine; return them, and the lock for pip on the site."""
    wheels = wheels_for(text, python, folder, os.environ)
    lock = folder / Path(WHEELS_LOCK).name
    lock.write_text(text, encoding="utf-8")
    return [*wheels, lock]


def _write_files(folder: Path, texts: Mapping[str, str]) -> tuple[tuple[str, Path], ...]:
    files = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        files.append((name, path))
    return tuple(files)


def check_imports(
    probe: SiteProbe,
    python: str,
    required: RequiredPackages,
    packages_of: Callable[[list[str]], Mapping[str, list[str]]],
) -> str:
    """Raise RunError where the study imports a package that the Python does not have, before every task fails of it.

    `packages_of` returns the packages that provide modules. With --anyway a note is returned instead.
    """
    if not required.needs.certain:
        return ""
    output = probe.ask([python, "-c", MISSING_PROBE, *required.needs.certain]).stdout
    missing = output.rpartition("@packhorse")[2].split()
    if not missing:
        return ""
    known = packages_of(missing)
    script = Path(required.needs.files[0]).name
    sentence = f"{script} imports {', '.join(missing)}, which {python} on {probe.site.name} does not have"
    if probe.place.anyway:
        return sentence
    if not known:
        remedy = f"install what provides it there: packhorse shell {probe.site.name}"
        raise RunError(sentence, f"{remedy}\nor, if tasks find it in another way, add --anyway")
    packages = ", ".join(dict.fromkeys(name for names in known.values() for name in names))
    if required.lock is not None:
        raise RunError(sentence, f"add {packages} to {required.lock.path}, each with its version")
    raise RunError(
        sentence,
        f"install {packages} there, or let Packhorse build the environment: remove `environment`, or write\n"
        "  environment:\n    venv: .venv",
    )
