"""Which file a site's name means: a named one, the project's, the user's, the shipped one; and where one stands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from packhorse.model.errors import StudyError, UsageError
from packhorse.project.placement import unknown_sites
from packhorse.project.sites import find_file, find_site, known_sites, site_name, this_site
from packhorse.project.source import from_file, from_keywords
from packhorse.runtime.site_files import user_folder
from packhorse.snapshot.code import SnapshotFile, code_digest

Write = Callable[[str, str], Path]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project's folder whose user has settings of their own beside it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def write(project: Path) -> Write:
    """Return `write("project" or "user", name, text)` in one word: `write("project/ant.yaml", text)`."""

    def make(said: str, text: str) -> Path:
        where, _, name = said.partition("/")
        own = user_folder()
        assert own is not None
        place = {"project": project / "packhorse-sites", "user": own}[where]
        place.mkdir(parents=True, exist_ok=True)
        path = place / name
        path.write_text(text, encoding="utf-8")
        return path

    return make


def test_the_shipped_sites_are_there(project: Path) -> None:
    origins = {one.name: one.origin for one in known_sites(project)}
    live = {"local", "testbed", "quartz", "bigred200", "hec", "penguins", "bede"}
    assert set(origins) == live | {"karst", "bigred3", "carbonate"}
    assert set(origins.values()) == {"shipped"}
    assert find_site("testbed", project).scheduler == "slurm"


def test_the_project_comes_before_the_user_and_the_user_before_what_is_shipped(
    project: Path, write: Write
) -> None:
    write("user/testbed.yaml", "title: the user's")
    assert find_site("testbed", project).title == "the user's"
    write("project/testbed.yaml", "title: the project's")
    assert find_site("testbed", project).title == "the project's"
    origins = {one.name: one.origin for one in known_sites(project)}
    assert origins["testbed"] == "project"


def test_a_site_is_found_from_a_folder_within_the_project_and_not_beyond_it(
    project: Path, write: Write
) -> None:
    write("project/ant.yaml", "title: ants")
    study = project / "studies" / "one"
    study.mkdir(parents=True)
    with pytest.raises(UsageError):  # no repository: the folder of the study is the project
        find_site("ant", study)
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    assert find_site("ant", study).title == "ants"
    subprocess.run(["git", "init", "-q", str(study)], check=True)
    with pytest.raises(UsageError):
        find_site("ant", study)


def test_a_file_is_named_by_a_slash_or_its_suffix(project: Path, write: Write) -> None:
    path = write("project/ant.yaml", "extends: testbed\ntitle: ants")
    found = find_site(str(path), project)
    assert (found.name, found.title) == ("ant", "ants")
    assert found.partitions == find_site("testbed", project).partitions
    assert find_file(str(path), project).origin == "named"
    with pytest.raises(UsageError, match="no file"):
        find_site(str(project / "none.yaml"), project)


@pytest.mark.parametrize("word", ["hec", "HEC", "lancaster-hec", "Lancaster-HEC"])
def test_a_site_goes_by_other_words_in_any_case(project: Path, word: str) -> None:
    assert find_site(word, project).name == "hec"
    assert site_name(word, project) == "hec"


def test_a_name_comes_before_another_word_and_the_project_s_words_before_those_of_others(
    project: Path, write: Write
) -> None:
    write("user/bee.yaml", "aliases: [hill, ant]")
    write("project/wasp.yaml", "aliases: hill")
    assert find_site("hill", project).name == "wasp"
    write("project/ant.yaml", "title: ants")
    assert find_site("ant", project).name == "ant"
    assert site_name("./x/ant.yaml", project) == "ant"
    assert site_name("nobody", project) == "nobody"


def test_a_study_s_words_on_a_site_count_by_whatever_word_it_is_called(project: Path) -> None:
    study = project / "study.yaml"
    study.write_text("command: run\nsites: {hec: {cluster: {account: a1}}}")
    source = from_file(study, "Lancaster-HEC")
    assert source.study.cluster.account == "a1"
    assert unknown_sites(source, "Lancaster-HEC") == []


@pytest.mark.parametrize(
    ("name", "successors"),
    [
        ("karst", "--site quartz or --site bigred200"),
        ("carbonate", "--site quartz"),
        ("bigred3", "--site bigred200"),
    ],
)
def test_a_site_that_is_gone_is_refused_with_what_took_its_place(
    project: Path, name: str, successors: str
) -> None:
    with pytest.raises(UsageError, match="retired since 20") as caught:
        find_site(name, project)
    assert successors in caught.value.hint
    assert find_site(name, project, retired=True).retired is not None
    for word in successors.replace("--site", "").replace("or", "").split():
        assert find_site(word, project)


def test_a_wrong_name_is_told_the_nearest_and_all_others(project: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_site("tesbed", project)
    assert "Did you mean 'testbed'?" in caught.value.hint
    assert "local" in caught.value.hint
    assert "packhorse sites" in caught.value.hint


def test_a_file_that_extends_its_own_name_means_the_next_one(project: Path, write: Write) -> None:
    write("user/testbed.yaml", "extends: testbed\nmax_jobs: 7")
    write("project/testbed.yaml", "extends: testbed\ntitle: here")
    found = find_site("testbed", project)
    assert (found.title, found.max_jobs, found.max_array_index) == ("here", 7, 10000)


@pytest.mark.parametrize(
    ("ant", "bee", "said"),
    [
        ("extends: ant", "title: b", "extends itself"),
        ("extends: bee", "extends: ant", "extends itself"),
        ("extends: be", "title: b", "no site 'be'"),
    ],
)
def test_circles_and_wrong_names_are_refused_at_their_place(
    project: Path, write: Write, ant: str, bee: str, said: str
) -> None:
    write("project/ant.yaml", ant)
    write("project/bee.yaml", bee)
    with pytest.raises(StudyError, match=said) as caught:
        find_site("ant", project)
    assert caught.value.where.endswith(":1:10")


def test_a_file_that_is_wrong_is_listed_with_its_fault(project: Path, write: Write) -> None:
    path = write("project/ant.yaml", "title: a\npartition: {}")
    found = {one.name: one for one in known_sites(project)}["ant"]
    assert found.site is None
    assert found.fault.startswith(f"{path}:2:1: The site has no key 'partition'.")


def test_a_file_in_another_encoding_is_refused(project: Path, write: Write) -> None:
    path = write("project/ant.yaml", "")
    path.write_bytes("title: \xe4".encode("latin-1"))
    with pytest.raises(StudyError, match="not UTF-8"):
        find_site("ant", project)


def test_a_file_that_cannot_be_read_is_told_and_hides_no_other(project: Path, write: Write) -> None:
    folder = write("project/bee.yaml", "title: b").parent
    (folder / "ant.yaml").mkdir()  # unlike a mode, this stops root too
    with pytest.raises(UsageError, match="cannot be read"):
        find_site("ant", project)
    assert "cannot be read" in {one.name: one for one in known_sites(project)}["ant"].fault
    found = this_site(project, "testbed-login")
    assert found is not None
    assert found.name == "testbed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("home", ["closed", None])
def test_a_user_with_another_s_home_or_none_has_no_sites_of_their_own(
    tmp_path: Path, home: str | None
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = "from packhorse.runtime.site_files import site_files; from pathlib import Path; "
    program += "import os; os.setuid(54321); print({one.origin for one in site_files(Path('/'))})"
    kept = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CONFIG_HOME")}
    env = {**kept, "HOME": str(closed)} if home else kept
    # What is imported later than setuid may stand where that user cannot look, so the imports come first.
    program = f"import pathlib, shutil; {program}"
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("{'shipped'}", "set()")


def test_a_study_speaks_of_a_site_by_the_name_of_its_file(project: Path, write: Write) -> None:
    path = write("project/ant.yaml", "title: ants")
    study = project / "study.yaml"
    study.write_text("command: run\nsites: {ant: {cluster: {account: a1}}}")
    assert find_site(str(path), project).name == "ant"
    for said in ("ant", str(path)):
        assert from_file(study, said).study.cluster.account == "a1"
    for said in (None, "bee", str(path.with_name("bee.yaml"))):
        assert not from_file(study, said).study.cluster.account
    made = from_keywords({"command": "run", "sites": {"ant": {"retries": 3}}}, project, study, site=str(path))
    assert made.study.retries == 3


def test_a_login_node_is_known_by_its_name(project: Path, write: Write) -> None:
    assert this_site(project, "elsewhere.example.org") is None
    found = this_site(project, "testbed-login")
    assert found is not None
    assert found.name == "testbed"
    write("project/ant.yaml", "hosts: ['ant?.example.org']")
    write("project/also.yaml", "title: mentions ant1.example.org, and is not it")
    found = this_site(project, "ant1.example.org")
    assert found is not None
    assert found.name == "ant"
    assert this_site(project, "ant12.example.org") is None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("wayland-2022", "hec"),
        ("wayland-2022.hec.lancaster.ac.uk", "hec"),
        ("wayland-2022.hec.lancs.ac.uk", "hec"),
        ("quartz.uits.iu.edu", "quartz"),
        ("bigred200.uits.iu.edu", "bigred200"),
        ("login2.bede.dur.ac.uk", "bede"),
        ("icefloe-fe.lancs.ac.uk", "penguins"),
        ("login2.elsewhere.ac.uk", None),
        ("karst.uits.iu.edu", None),
    ],
)
def test_login_nodes_of_the_shipped_sites_are_known(project: Path, host: str, name: str | None) -> None:
    found = this_site(project, host)
    assert (found.name if found else None) == name


def test_the_site_of_a_login_node_is_the_one_whose_file_counts(project: Path, write: Write) -> None:
    write("project/testbed.yaml", "extends: testbed\ntitle: ours")
    found = this_site(project, "testbed-login.example.org")
    assert found is not None
    assert found.title == "ours"


def test_a_site_of_another_that_is_wrong_does_not_hide_where_one_stands(project: Path, write: Write) -> None:
    write("project/ant.yaml", "hosts: testbed-login\nnothing: 1")
    found = this_site(project, "testbed-login")
    assert found is not None
    assert found.name == "testbed"


def test_a_change_of_a_site_is_no_change_of_code(project: Path) -> None:
    def digest(folder: str, content: str) -> str:
        file = SnapshotFile(path=f"{folder}/ant.yaml", source=str(project / "ant.yaml"), sha256=content)
        return code_digest([file], command="python sim.py", result="auto")

    assert digest("packhorse-sites", "a") == digest("packhorse-sites", "b")
    assert digest("lib/packhorse-sites", "a") == digest("lib/packhorse-sites", "b")
    assert digest("sites", "a") != digest("sites", "b")
