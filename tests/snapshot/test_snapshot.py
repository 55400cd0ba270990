"""The snapshot: its files, its tar, and the digests."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.model.errors import SnapshotError
from packhorse.snapshot.code import SnapshotFile, code_digest
from packhorse.snapshot.data_files import data_digests
from packhorse.snapshot.import_roots import editable_folders, import_roots
from packhorse.snapshot.project_files import find_root, matcher
from packhorse.snapshot.snapshot import list_files, pack

HOSTILE = ["with space.py", "new\nline.py", "quo'te\".py", "-dash.py", "größe.py", "*.py", "back\\slash.py"]


def git(folder: Path, *arguments: str) -> None:
    person = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        env={**os.environ, **person},
    )


def write(root: Path, *names: str, text: str = "x\n") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def repository(root: Path, *names: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q", "-b", "main")
    write(root, *names)
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "first")
    return root


def names(root: Path, folder: Path | None = None, **options: object) -> list[str]:
    listing = list_files(root, folder or root, **options)  # type: ignore[arg-type]
    return [file.path for file in listing.files if file.kind != "folder"]


def test_git_gives_tracked_and_untracked_files_but_no_ignored_or_deleted_ones(tmp_path: Path) -> None:
    root = repository(tmp_path / "a project", "sim.py", "gone.py", *HOSTILE)
    write(root, "new.py", "out/big.csv", ".gitignore", text="out/\n")
    (root / "gone.py").unlink()
    assert names(root) == sorted(["sim.py", "new.py", ".gitignore", *HOSTILE])


def test_names_that_are_not_utf8_are_kept_as_they_are(tmp_path: Path) -> None:
    root = repository(tmp_path / "p", "sim.py")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff.dat")).write_text("bytes")
    pack(list_files(root, root).files, tmp_path / "code.tar")
    subprocess.run(["tar", "-xf", tmp_path / "code.tar", "-C", tmp_path], check=True)
    assert "\udcff.dat" in [path.name for path in tmp_path.iterdir()]


def test_the_root_is_the_top_of_the_work_tree(tmp_path: Path) -> None:
    root = repository(tmp_path / "p", "studies/a/sim.py")
    assert find_root(root / "studies" / "a") == root
    assert find_root(tmp_path) == tmp_path


def test_a_path_that_breaks_careless_quoting(weird_path: Path) -> None:
    root = repository(weird_path, "st [x]/sim.py", "st x/lib.py")
    write(root, "st [x]/runs/notes.txt", "data.csv")
    folder = root / "st [x]"
    assert find_root(folder) == root
    assert names(root, folder) == ["data.csv", "st [x]/sim.py", "st x/lib.py"]
    assert names(root, folder, code=("sim.py",), include=("../data.csv",)) == ["data.csv", "st [x]/sim.py"]


def test_a_folder_that_git_ignores_is_its_own_root(tmp_path: Path) -> None:
    root = repository(tmp_path / "p", "sim.py")
    write(root, ".gitignore", text="scratch/\n")
    write(root, "scratch/sim.py")
    assert find_root(root / "scratch") == root / "scratch"
    assert names(root / "scratch") == ["sim.py"]


def test_a_home_under_git_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = repository(tmp_path / "home", ".bashrc", "study/sim.py")
    monkeypatch.setenv("HOME", str(home))
    assert find_root(home / "study") == home / "study"


def test_variables_of_a_git_hook_do_not_lead_astray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, other = repository(tmp_path / "p", "sim.py"), repository(tmp_path / "other", "foreign.py")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert find_root(root) == root
    assert names(root) == ["sim.py"]


def test_submodules_and_nested_repositories_are_part_of_it(tmp_path: Path) -> None:
    library = repository(tmp_path / "library", "lib/__init__.py")
    root = repository(tmp_path / "p", "sim.py")
    git(root, "submodule", "--quiet", "add", str(library), "vendor")
    repository(root / "cloned", "tool.py")
    assert set(names(root)) == {".gitmodules", "sim.py", "vendor/lib/__init__.py", "cloned/tool.py"}


def test_without_git_hidden_folders_and_environments_are_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "sim.py", ".Rprofile", "lib/a.R", ".cache/x", "__pycache__/x.pyc", "node_modules/x.js")
    write(tmp_path, "runs/one/run.json", "myenv/pyvenv.cfg", "myenv/lib/x.py", ".venv/x")
    assert names(tmp_path) == [".Rprofile", "lib/a.R", "sim.py"]
    git(tmp_path, "init", "-q")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert names(find_root(tmp_path)) == [".Rprofile", "lib/a.R", "sim.py"], "git is not installed"


def test_run_directories_are_never_inside(tmp_path: Path) -> None:
    root = repository(tmp_path / "p", "sim.py", "runs/settings.toml", "runs/tracked.py")
    write(root, "runs/one/run.json", "elsewhere/run.json", text='{"format":"packhorse-run","version":1}')
    write(root, "runs/one/journal/a.ndjson", "elsewhere/logs/a.log", "runs/notes.txt", "current/x")
    write(root, "model/run.json", text='{"format":"mine"}')
    listed = names(root, exclude=[root / "current"])
    assert listed == ["model/run.json", "runs/settings.toml", "runs/tracked.py", "sim.py"]


def test_secrets_are_left_out_and_said_but_code_with_such_names_is_kept(tmp_path: Path) -> None:
    secret = [".env", ".env.local", "id_rsa", "server.pem", "my.key", "hf_token.txt", "credentials.json"]
    code = ["tokenizer.py", "token.py", "secrets.R", "keys.py", ".env.example", "monkey.txt", "tokens.txt"]
    root = repository(tmp_path / "p", *secret, *code)
    listing = list_files(root, root, include=(".env",))
    assert {path for path, _ in listing.left_out} == set(secret)
    assert {file.path for file in listing.files} == set(code)


def test_links_inside_are_kept_and_links_outside_are_reported(tmp_path: Path) -> None:
    root = repository(tmp_path / "p", "data/a.csv")
    write(tmp_path, "outside.csv")
    (root / "relative").symlink_to("data/a.csv")
    (root / "absolute").symlink_to(root / "data" / "a.csv")
    (root / "folder").symlink_to("data")
    (root / "out").symlink_to("../outside.csv")
    (root / "chain").symlink_to("out")
    listing = list_files(root, root)
    links = {file.path: file.link for file in listing.files if file.kind == "link"}
    assert links == {"relative": "data/a.csv", "absolute": "data/a.csv", "folder": "data"}
    assert [path for path, _ in listing.left_out] == ["chain", "out"]
    assert "data:" in listing.left_out[0][1]


def test_pipes_and_sockets_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "sim.py")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as talk:
        talk.bind("talk")
        listing = list_files(tmp_path, tmp_path)
    assert [file.path for file in listing.files] == ["sim.py"]
    assert [path for path, _ in listing.left_out] == ["pipe", "talk"]


def test_code_narrows_and_include_adds_ignored_files(tmp_path: Path) -> None:
    root = repository(tmp_path / "p", "st/sim.py", "st/lib/deep/a.py", "st/lib/b.R", "src/m.py", "other.py")
    write(root, ".gitignore", text="*.rds\n")
    write(root, "st/fit.rds", "st/models/x.rds", "st/models/y.rds")
    folder = root / "st"
    assert names(root, folder, code=("sim.py", "lib/**/*.py", "../src")) == [
        "src/m.py",
        "st/lib/deep/a.py",
        "st/sim.py",
    ]
    assert names(root, folder, code=("sim.py",), include=("fit.rds", "models")) == [
        "st/fit.rds",
        "st/models/x.rds",
        "st/models/y.rds",
        "st/sim.py",
    ]
    assert names(root, folder, code=("sim.py",), include=("models/x*",)) == ["st/models/x.rds", "st/sim.py"]


@pytest.mark.parametrize("key", ["code", "include"])
def test_a_pattern_that_names_nothing_is_refused_with_the_nearest(tmp_path: Path, key: str) -> None:
    write(tmp_path, "simulate.py")
    with pytest.raises(SnapshotError, match="simluate") as refusal:
        list_files(tmp_path, tmp_path, **{key: ("simluate.py",)})
    assert "simulate.py" in refusal.value.hint
    with pytest.raises(SnapshotError, match="outside the project"):
        list_files(tmp_path, tmp_path, **{key: ("../x",)})


def test_ignored_output_folders_exist_in_the_snapshot(tmp_path: Path) -> None:
    root = repository(tmp_path / "p", "st/sim.py")
    write(root, ".gitignore", text="results/\n")
    write(root, "st/results/old.csv", "st/.hidden/x", "st/runs/x")
    folders = [file.path for file in list_files(root, root / "st").files if file.kind == "folder"]
    assert folders == ["st/results"]


def test_the_studys_folder_is_there_even_without_a_file(tmp_path: Path) -> None:
    root = repository(tmp_path / "p", "sim.py")
    (root / "st").mkdir()
    assert [file.path for file in list_files(root, root / "st").files] == ["sim.py", "st"]


def test_a_large_snapshot_is_refused_with_the_line_to_write(tmp_path: Path) -> None:
    write(tmp_path, "st/sim.py", "st/a b.bin", "raw/c.bin", "st/small.csv")
    for name, size in (("st/a b.bin", 70_000_000), ("raw/c.bin", 120_000_000)):
        os.truncate(tmp_path / name, size)
    with pytest.raises(SnapshotError) as refusal:
        list_files(tmp_path, tmp_path / "st")
    assert "190 MB" in refusal.value.message
    assert "raw/c.bin" in refusal.value.message
    assert "data: [../raw/c.bin]" in refusal.value.hint
    os.truncate(tmp_path / "st/a b.bin", 110_000_000)
    with pytest.raises(SnapshotError) as refusal:
        list_files(tmp_path, tmp_path / "st")
    assert 'data: [../raw/c.bin, "a b.bin"]' in refusal.value.hint
    listed = names(tmp_path, tmp_path / "st", exclude=[tmp_path / "raw/c.bin", tmp_path / "st/a b.bin"])
    assert listed == ["st/sim.py", "st/small.csv"]


def test_many_middling_files_are_named_by_their_folder(tmp_path: Path) -> None:
    write(tmp_path, "sim.py", *[f"images/{i}.png" for i in range(40)])
    for i in range(40):
        os.truncate(tmp_path / f"images/{i}.png", 4_000_000)
    with pytest.raises(SnapshotError) as refusal:
        list_files(tmp_path, tmp_path)
    assert "data: [images]" in refusal.value.hint


def test_the_tar_has_modes_links_and_bytes_and_its_digest_no_times(tmp_path: Path) -> None:
    root = repository(tmp_path / "p", "sim.py", "run.sh", *HOSTILE)
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("sim.py")
    first = pack(list_files(root, root).files, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == _packed_again(root, tmp_path / "b.tar")
    os.utime(root / "sim.py", (1, 1))
    assert pack(list_files(root, root).files, tmp_path / "c.tar") == first
    (root / "run.sh").chmod(0o644)
    assert pack(list_files(root, root).files, tmp_path / "d.tar") != first
    with tarfile.open(tmp_path / "a.tar") as tar:
        assert sorted(tar.getnames()) == sorted(["sim.py", "run.sh", "link", *HOSTILE])
        assert tar.getmember("run.sh").mode == 0o755
        assert tar.getmember("link").linkname == "sim.py"
        assert tar.getmember("sim.py").uid == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "b.tar", "c.tar", "d.tar", "p"]


def _packed_again(root: Path, tar: Path) -> bytes:
    pack(reversed(list_files(root, root).files), tar)
    return tar.read_bytes()


def test_a_file_that_changes_while_it_is_packed_is_not_packed(tmp_path: Path) -> None:
    write(tmp_path, "sim.py")
    files = list_files(tmp_path, tmp_path).files
    write(tmp_path, "sim.py", text="edited\n")
    with pytest.raises(SnapshotError, match="changed while it was packed"):
        pack(files, tmp_path / "code.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["sim.py"]


def digest(root: Path, command: str = "python sim.py", result: str = "auto", **options: list[str]) -> str:
    return code_digest(list_files(root, root).files, command=command, result=result, **options)


def test_code_command_and_result_change_the_code_digest(tmp_path: Path) -> None:
    write(tmp_path, "sim.py", "lib.R", "config.yaml", "words.txt")
    seen = {digest(tmp_path), digest(tmp_path, "python sim.py --n {n}"), digest(tmp_path, result="json")}
    for name in ("sim.py", "lib.R", "config.yaml", "words.txt"):
        write(tmp_path, name, text=f"changed {name}\n")
        seen.add(digest(tmp_path))
    assert len(seen) == 7
    assert all(len(one) == 16 for one in seen)


def test_study_files_documents_and_notebooks_do_not_change_the_code_digest(tmp_path: Path) -> None:
    write(tmp_path, "sim.py")
    before = digest(tmp_path)
    write(tmp_path, "README.md", "notes.ipynb", "paper.pdf", "LICENSE", "README.txt", ".gitignore")
    write(
        tmp_path,
        "study.yaml",
        text="# mine\nname: a\ncommand: |\n  python sim.py\n  other: x\nparameters:\n  n: 1\n",
    )
    (tmp_path / "results").mkdir()
    assert digest(tmp_path) == before
    write(tmp_path, "config.yaml", text="command: x\nlearning_rate: 3\n")
    write(tmp_path, "points.csv")
    assert digest(tmp_path) != before
    assert digest(tmp_path, apart=["config.yaml", "points.csv"]) == before


def test_a_document_that_the_command_names_is_code(tmp_path: Path) -> None:
    write(tmp_path, "analysis.ipynb")
    before = digest(tmp_path, "papermill analysis.ipynb out.ipynb")
    write(tmp_path, "analysis.ipynb", text="changed")
    assert digest(tmp_path, "papermill analysis.ipynb out.ipynb") != before


def test_data_digests_follow_the_bytes(tmp_path: Path) -> None:
    write(tmp_path, "data/a.csv", "data/sub/b.csv", "one.csv")
    cache = tmp_path / "cache" / "data.json"
    first = data_digests(tmp_path, ("data", "one.csv"), cache)
    assert first["one.csv"]["bytes"] == 2
    assert first["data"]["files"] == 2
    write(tmp_path, "data/sub/b.csv", text="y\n")
    second = data_digests(tmp_path, ("data", "one.csv"), cache)
    assert second["data"]["sha256"] != first["data"]["sha256"]
    assert second["one.csv"] == first["one.csv"]
    (tmp_path / "data/sub/b.csv").rename(tmp_path / "data/sub/c.csv")
    assert data_digests(tmp_path, ("data",), cache)["data"]["sha256"] != second["data"]["sha256"]


def test_data_is_hashed_once_and_a_broken_cache_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "one.csv", "fresh.csv")
    cache = tmp_path / "data.json"
    old = time.time() - 100
    os.utime(tmp_path / "one.csv", (old, old))
    true = data_digests(tmp_path, ("one.csv", "fresh.csv"), cache)
    kept = cache.read_text()
    assert true["one.csv"]["sha256"] in kept
    assert kept.count("one.csv") == 1
    assert "fresh.csv" not in kept, "a file of this second may change without its time changing"
    cache.write_text(kept.replace(true["one.csv"]["sha256"], "remembered"))
    assert data_digests(tmp_path, ("one.csv",), cache)["one.csv"]["sha256"] == "remembered"
    cache.write_text('{"torn')
    assert data_digests(tmp_path, ("one.csv",), cache)["one.csv"] == true["one.csv"]


def test_missing_data_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    write(tmp_path, "data/penguins.csv")
    with pytest.raises(SnapshotError, match=r"data/pengiuns\.csv does not exist") as refusal:
        data_digests(tmp_path, ("data/pengiuns.csv",), tmp_path / "c")
    assert "data: [data/penguins.csv]" in refusal.value.hint
    (tmp_path / "gone").symlink_to("/nowhere/at/all")
    with pytest.raises(SnapshotError, match="link to /nowhere/at/all"):
        data_digests(tmp_path, ("gone",), tmp_path / "c")
    with pytest.raises(SnapshotError, match="does not exist"):
        data_digests(tmp_path, ("no/such/folder/x.csv",), tmp_path / "c")


def roots(*paths: str, folder: str = ".", editable: tuple[str, ...] = ()) -> list[str]:
    return import_roots([SnapshotFile(path=path, source=path) for path in paths], folder, editable)


def test_import_roots_are_src_the_project_and_the_studys_folder() -> None:
    assert roots("sim.py") == ["."]
    assert roots("sim.R") == []
    assert roots("src/pkg/__init__.py", "sim.py") == ["src", "."]
    assert roots("pyproject.toml", "src/pkg/m.py") == ["src", "."]
    assert roots("src/notes.txt", "sim.py") == ["."]
    assert roots("st/sim.py", "pkg/__init__.py", folder="st") == ["st", "."]
    assert roots("st/sim.py", "other/x.py", folder="st") == ["st"]
    assert roots("a/st/sim.py", "a/src/p/__init__.py", "a/setup.py", folder="a/st") == ["a/st", "a/src", "a"]
    assert roots("sim.py", "python/pkg/__init__.py", editable=("python",)) == [".", "python"]


def test_a_folder_that_would_shadow_the_standard_library_is_no_import_root() -> None:
    assert roots("st/sim.py", "random.py", "pkg/__init__.py", folder="st") == ["st"]
    assert roots("st/sim.py", "code/__init__.py", folder="st") == ["st"]
    assert roots("st/sim.py", "test/__init__.py", "pkg/__init__.py", folder="st") == ["st", "."]


def test_editable_installs_of_both_styles_are_found(tmp_path: Path) -> None:
    site = tmp_path / "venv/lib/python3.11/site-packages"
    root = tmp_path / "p"
    write(tmp_path, "venv/pyvenv.cfg", "venv/bin/python")
    write(root, "lib/a/__init__.py", "python/b/__init__.py", "elsewhere/x.py")
    write(site, "_a.pth", text=f"import sys\n{root}/lib\n{tmp_path}/other\n")
    finder = f"from x import y\nMAPPING: dict[str, str] = {{'b': '{root}/python/b', 'c': '{root}/odd'}}\nNAMES = 1\n"
    write(site, "__editable___b_1_0_finder.py", text=finder)
    assert editable_folders(str(tmp_path / "venv/bin/python"), root) == ["lib", "python"]


@given(st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_a_name_without_glob_signs_matches_itself_and_what_is_below(name: str) -> None:
    if name != "." and not set(name) & set("*?[]"):  # "." is the root, which matches all
        assert matcher(name).match(name)
        assert matcher(name).match(name + "/x\ny")
        assert not matcher(name).match(name + "x")


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.py", ["a.py", ".py", "a.py/x"], ["d/a.py", "a.pyc"]),
        ("**/*.py", ["a.py", "d/e/a.py"], ["a.R"]),
        ("d/**", ["d/a", "d/e/f"], ["e/d"]),
        ("a?[0-9][!x].R", ["ab1y.R"], ["ab1x.R", "a/1y.R"]),
        ("a[b", ["a[b"], ["ab"]),
    ],
)
def test_globs(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [name for name in yes + no if matcher(pattern).match(name)] == yes


@pytest.mark.alone
def test_five_thousand_files_cost_a_few_times_what_reading_them_costs(tmp_path: Path) -> None:
    root = repository(tmp_path / "p", *[f"d{i % 50}/f{i}.py" for i in range(5000)])

    def reading() -> None:
        for path in root.rglob("*.py"):
            hashlib.sha256(path.read_bytes()).hexdigest()

    def snapshot() -> None:
        files = list_files(root, root).files
        code_digest(files, command="x", result="auto")
        pack(files, tmp_path / "code.tar")

    def seconds(work: Callable[[], None]) -> float:
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin

    assert min(seconds(snapshot) for _ in range(3)) < 10 * min(seconds(reading) for _ in range(3))
