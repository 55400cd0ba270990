"""Provenance: packages, machine, variables, and what is never recorded."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
import venv
from pathlib import Path

import msgspec
import pytest

from packhorse.model.secrets import is_secret_file, is_secret_variable
from packhorse.model.study import Factor, Study
from packhorse.record import machine, packages
from packhorse.record.provenance import Languages, collect, environment_digest, variables
from packhorse.record.software import Package, PythonSoftware, Software

ENV = dict(os.environ)


@pytest.fixture
def real_venv(tmp_path: Path) -> Path:
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    return tmp_path / "env"


def install(place: Path, name: str, version: str, direct: str = "") -> Path:
    site = next(place.glob("lib/python3*/site-packages"))
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if direct:
        (info / "direct_url.json").write_text(direct)
    return info


def test_an_interpreter_tells_its_own_packages_not_ours(real_venv: Path) -> None:
    install(real_venv, "Demo_Package", "1.2")
    install(real_venv, "mine", "0.1", '{"url":"file:///p/mine","dir_info":{"editable":true}}')
    said = packages.python_packages(str(real_venv / "bin" / "python"), ENV)
    assert said.version == platform.python_version()
    assert said.prefix == str(real_venv)
    assert said.packages == (
        Package(name="Demo_Package", version="1.2"),
        Package(name="mine", version="0.1", editable="file:///p/mine"),
    )
    assert said.numpy is None


def test_numpys_blas_is_told_where_there_is_numpy() -> None:
    said = packages.python_packages(sys.executable, ENV)
    installed = said.packages or ()
    if "numpy" in {package.name for package in installed}:
        assert said.numpy is not None
        assert said.numpy.blas is not None
        assert said.numpy.blas.name
    assert Package(name="msgspec", version=msgspec.__version__) in installed


def test_what_is_stored_is_what_the_interpreter_printed(real_venv: Path) -> None:
    install(real_venv, "mine", "0.1", '{"url":"file:///p/mine","dir_info":{"editable":true}}')
    install(real_venv, "cloned", "2.0", '{"url":"https://e.org/c","vcs_info":{"vcs":"git","commit_id":"01"}}')
    for python in (str(real_venv / "bin" / "python"), sys.executable):
        output, _ = packages.ask_interpreter([python, "-c", packages.PYTHON_PROBE], ENV, Path("/"))
        printed = output.rpartition("@packhorse ")[2].strip()
        said = packages.parse_python_reply(output)
        assert json.dumps(msgspec.to_builtins(said)) == printed


def test_a_report_that_is_torn_or_of_another_type_is_not_used() -> None:
    whole = '@packhorse {"version": "3.11", "packages": [], "of a later version": 1}\n'
    said = PythonSoftware(version="3.11", packages=())
    assert packages.parse_python_reply(f'{whole}\n@packhorse {{"version": ') == said
    assert packages.parse_python_reply(f'{whole}@packhorse {{"packages": 7}}\n') == said
    assert packages.parse_python_reply("@packhorse []\n") is None


def test_a_numpy_that_crashes_on_import_does_not_hide_the_packages(real_venv: Path) -> None:
    install(real_venv, "numpy", "9.9")
    site = next(real_venv.glob("lib/python3*/site-packages"))
    (site / "numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    said = packages.python_packages(str(real_venv / "bin" / "python"), ENV)
    assert said.packages == (Package(name="numpy", version="9.9"),)


def test_answers_are_remembered_until_a_package_comes_or_goes(tmp_path: Path, real_venv: Path) -> None:
    python, cache = str(real_venv / "bin" / "python"), tmp_path / "cache"
    assert packages.python_packages(python, ENV, cache).packages == ()
    kept = next(cache.iterdir())
    kept.write_text(
        kept.read_text().replace('"packages": []', '"packages": [{"name": "x", "version": "remembered"}]')
    )
    assert packages.python_packages(python, ENV, cache).packages == (Package(name="x", version="remembered"),)
    install(real_venv, "demo", "1.0")
    assert packages.python_packages(python, ENV, cache).packages == (Package(name="demo", version="1.0"),)
    for unusable in ('{"torn', "[]", '{"marks": [], "answer": {"packages": 7}}'):
        next(cache.iterdir()).write_text(unusable)
        found = packages.python_packages(python, ENV, cache)
        assert found.packages == (Package(name="demo", version="1.0"),)
    next(cache.iterdir()).write_text("{}")
    assert packages.python_packages(python, ENV, cache).packages == (Package(name="demo", version="1.0"),)


@pytest.mark.alone
def test_a_second_time_is_quick(tmp_path: Path) -> None:
    study = Study(name="x")
    languages = Languages(python=sys.executable)
    collect(study, tmp_path, tmp_path, languages=languages, env=ENV, cache=tmp_path / "cache")

    def seconds(cache: Path) -> float:
        begin = time.perf_counter()
        collect(study, tmp_path, tmp_path, languages=languages, env=ENV, cache=cache)
        return time.perf_counter() - begin

    again = min(seconds(tmp_path / "cache") for _ in range(3))
    anew = min(seconds(tmp_path / f"cache{number}") for number in range(3))
    assert again < anew / 2


def test_what_cannot_be_asked_is_a_note_and_not_remembered(tmp_path: Path) -> None:
    said = packages.python_packages(str(tmp_path / "python"), ENV, tmp_path / "cache")
    assert "No such file" in str(said.note)
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'libfoo.so: cannot open' >&2\nexit 127\n")
    broken.chmod(0o755)
    assert "libfoo.so" in str(packages.python_packages(str(broken), ENV, tmp_path / "cache").note)
    assert not (tmp_path / "cache").exists()


def test_a_chatty_sitecustomize_does_not_disturb(real_venv: Path) -> None:
    site = next(real_venv.glob("lib/python3*/site-packages"))
    (site / "sitecustomize.py").write_text("print('hello', end='')\n")
    assert packages.python_packages(str(real_venv / "bin" / "python"), ENV).packages == ()


@pytest.mark.r
def test_r_tells_version_packages_and_blas_with_the_profile_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".Rprofile").write_text("cat('hello')\n")
    rscript = subprocess.run(["which", "Rscript"], check=True, capture_output=True, text=True).stdout.strip()
    said = packages.r_packages(rscript, tmp_path, ENV, tmp_path / "cache")
    assert str(said.version).startswith("R version ")
    assert "stats" in {package.name for package in said.packages or ()}
    assert "lapack" in str(said.lapack).lower() or "blas" in str(said.lapack).lower()
    assert str(said.rng).startswith("Mersenne-Twister")
    assert packages.r_packages(rscript, tmp_path, ENV, tmp_path / "cache") == said


def test_lock_files_are_told_by_digest(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("")
    (tmp_path / "requirements-dev.txt").write_text("x")
    found = packages.lock_files([tmp_path, tmp_path])
    assert [Path(path).name for path in found] == ["uv.lock", "requirements-dev.txt"]
    assert found[str(tmp_path / "uv.lock")].startswith("e3b0c442")


def test_the_machine() -> None:
    said = machine.describe({"OMP_NUM_THREADS": "3", "OTHER": "x"})
    assert said["cores"]["logical"] == os.cpu_count()
    assert said["memory"] > 10**8
    assert said["cpu"]
    assert said["threads"] == {"OMP_NUM_THREADS": "3"}
    json.dumps(said)


@pytest.mark.parametrize(
    ("files", "cores", "memory"),
    [
        ({"u/cpu.max": "max 100000", "cpu.max": "150000 100000", "u/memory.max": "2000\n"}, 1.5, 2000),
        ({"u/cpu.max": "50000 100000", "cpu.max": "150000 100000", "u/memory.max": "max\n"}, 0.5, None),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None, None),
        (
            {
                "cpu/cpu.cfs_quota_us": "200000",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
            2.0,
            None,
        ),
    ],
)
def test_limits_of_control_groups(
    tmp_path: Path, files: dict[str, str], cores: float | None, memory: int | None
) -> None:
    for name, text in {"proc/self/cgroup": "0::/u\n", **{f"cg/{n}": t for n, t in files.items()}}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    said = machine.describe({}, tmp_path / "proc", tmp_path / "cg")
    assert (said["cores"]["limit"], said["memory_limit"]) == (cores, memory)


def test_the_processor_of_several_kinds_of_cpuinfo(tmp_path: Path) -> None:
    block = "processor: {0}\nmodel name\t: EPYC 7763\nphysical id\t: 0\ncore id\t: {1}\n"
    (tmp_path / "cpuinfo").write_text("\n".join(block.format(i, i // 2) for i in range(4)))
    said = machine.describe({}, tmp_path, tmp_path)
    assert (said["cpu"], said["cores"]["physical"]) == ("EPYC 7763", 2)
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nBogoMIPS\t: 50\n")
    assert machine.describe({}, tmp_path, tmp_path)["cores"]["physical"] is None


def test_secrets_are_never_recorded(tmp_path: Path) -> None:
    env = {
        **ENV,
        "API_TOKEN": "hunter2",
        "DB": "postgres://u:hunter2@h/x",
        "PLAIN": "seen",
        "PASSPHRASE": "hunter2",
    }
    names = {
        "API_TOKEN": None,
        "DB": None,
        "PLAIN": None,
        "PASSPHRASE": None,
        "ABSENT": None,
        "MY_KEY": "hunter2",
    }
    study = Study(name="x", env={**names, "A": "b"})
    said = collect(study, tmp_path, tmp_path, languages=Languages(), env=env)
    assert "hunter2" not in json.dumps(said)
    assert said["variables"]["API_TOKEN"] == {"set": True, "recorded": False}
    assert said["variables"]["PLAIN"] == {"set": True, "value": "seen"}
    assert said["variables"]["ABSENT"] == {"set": False}
    assert said["study"]["env"]["A"] == "b"
    assert variables({"A": "given"}, {"A": "other"})["A"]["value"] == "given"


@pytest.mark.parametrize(
    "name", ["hf_token", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "GITHUB_PAT", "credentialFile"]
)
def test_names_of_secret_variables(name: str) -> None:
    assert is_secret_variable(name)


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        (".env", True), ("a/.env.prod", True), (".env.template", False), ("id_rsa.pub", True), ("x.PEM", True),
        (".ssh/config", True), (".Renviron", True), ("api-token", True), ("tokenizer.json", False),
        ("token.R", False), ("environment.yml", False), ("keys.csv", False),
    ],
)  # fmt: skip
def test_names_of_secret_files(path: str, secret: bool) -> None:
    assert is_secret_file(path) is secret


def test_provenance_is_json_and_holds_what_it_is_told(tmp_path: Path) -> None:
    levels = tuple((i,) for i in range(1000))
    study = Study(name="x", factors=(Factor(names=("n",), levels=levels),))
    program = Languages(python=sys.executable, program="/bin/true")
    said = collect(study, tmp_path, tmp_path, languages=program, env=ENV, created="2026-11-22", data={"a": 1})
    assert (said["format"], said["version"], said["created"], said["data"]) == (
        "packhorse-provenance",
        1,
        "2026-11-22",
        {"a": 1},
    )
    assert said["study"]["factors"] == [{"names": ["n"]}]
    assert said["environment"]["program"]["bytes"] == Path("/bin/true").stat().st_size
    assert json.loads(json.dumps(said)) == json.loads(msgspec.json.encode(said))


def software(version: str = "3.11", **packages_: str) -> Software:
    installed = tuple(Package(name=name, version=number) for name, number in packages_.items())
    return Software(python=PythonSoftware(version=version, packages=installed, executable="/anywhere"))


def test_the_environment_digest_knows_versions_and_nothing_else(tmp_path: Path) -> None:
    one = environment_digest(software(numpy="2.0", scipy="1.1"))
    assert environment_digest(software(scipy="1.1", numpy="2.0")) == one
    assert environment_digest(software(scipy="1.1", numpy="2.0", packhorse="9")) == one
    others = [
        software(numpy="2.1", scipy="1.1"),
        software("3.12", numpy="2.0", scipy="1.1"),
        software(numpy="2.0"),
    ]
    assert len({one, *map(environment_digest, others)}) == 4


def test_an_editable_project_of_the_snapshot_is_no_part_of_the_environment(tmp_path: Path) -> None:
    mine = Package(name="mine", version="0.1", editable=f"file://{tmp_path}")
    with_it = Software(python=PythonSoftware(version="3.11", packages=(mine,)))
    assert environment_digest(with_it, tmp_path) == environment_digest(software(), tmp_path)
    assert environment_digest(with_it, tmp_path / "other") != environment_digest(software(), tmp_path)
