"""`packhorse init` of job scripts and of the scripts that they run, in one process: it only reads and writes files."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from packhorse.app.studies.init import Written, write_study
from packhorse.model.errors import StudyError
from packhorse.project.source import from_file

Run = Callable[..., CompletedProcess[str]]

ARRAY_TEST = """\
import os, random
task_id = int(os.environ["SLURM_ARRAY_TASK_ID"])
random.seed(1000 + task_id)
result = random.random()
with open(f"slurm_results/result_task_{task_id}.csv", "w") as f:
    f.write(str(result))
"""
ARRAY_JOB = """\
#!/bin/bash
#SBATCH --array=1-200%20
#SBATCH --cpus-per-task=4
#SBATCH --mem-per-cpu=500M
#SBATCH --time=00:10:00
module purge
module load gcc/12 python/3.11
python array_test.py
"""


def init(folder: Path, name: str, output: str = "") -> tuple[Written, str]:
    """Return what init says, and the study; both are read as the user's next commands will read them."""
    written = write_study(folder / name, folder / output if output else None, (), here=folder, force=True)
    return written, written.path.read_text()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "array_test.py").write_text(ARRAY_TEST)
    (tmp_path / "jobs/array_test.sh").write_text(ARRAY_JOB)
    return tmp_path


def test_an_array_has_the_indices_of_its_job_script_and_a_row_for_each(project: Path, packhorse: Run) -> None:
    """The file named by the index has one bare number: a table of it had a header and no rows."""
    written, text = init(project, "array_test.py")
    assert written.found == "parameters task_id"
    assert written.notes == ()
    assert text.splitlines()[3:] == [
        "name: array_test",
        "command: python array_test.py",
        "",
        "parameters:",
        "  task_id: {range: {from: 1, to: 200}}  # the array of jobs/array_test.sh",
        "",
        "index_variable: {name: SLURM_ARRAY_TASK_ID, parameter: task_id}",
        "",
        "resources: {cpus: 4, memory: 2000 MB, time: 10 min}  # as in jobs/array_test.sh",
        "cluster: {modules: [gcc/12, python/3.11]}",
        'result: {file: "slurm_results/result_task_{task_id}.csv", header: [result]}',
    ]
    tried = packhorse("try", cwd=project)
    assert tried.returncode == 0, tried.stderr
    assert "its row in the table: task_id=1, result=0." in tried.stdout
    (project / "study.yaml").write_text(text.replace("to: 200", "to: 3").replace("cpus: 4, ", ""))
    done = packhorse("run", cwd=project)
    assert done.returncode == 0, done.stderr
    rows = (project / "runs/array_test/results.csv").read_text().splitlines()
    assert rows[0].startswith("task_id,replicate,seed,result,")
    assert [row.split(",")[0] for row in rows[1:]] == ["1", "2", "3"]
    assert all(row.split(",")[3].startswith("0.") for row in rows[1:])


def test_a_job_script_is_named_from_the_study_and_read(project: Path) -> None:
    _, text = init(project, "jobs/array_test.sh", "sh.yaml")
    assert "command: bash jobs/array_test.sh" in text
    assert "packhorse try sh.yaml" in text
    assert "study.yaml" not in text
    assert "range: {from: 1, to: 200}" in text
    assert 'result: {file: "slurm_results/result_task_{task_id}.csv", header: [result]}' in text
    assert from_file(project / "sh.yaml").study.resources.cpus == 4
    (project / "x.slurm").write_text(
        "#!/bin/sh\n#SBATCH --array=1,3,7-9\n#SBATCH -c 8\nID=$SLURM_ARRAY_TASK_ID\npython dict.py $ID\n"
    )
    (project / "dict.py").write_text("import sys\nn = int(sys.argv[1])\nres = {'n': n}\nprint(res)\n")
    _, text = init(project, "x.slurm")
    assert "command: sh x.slurm" in text
    assert "[1, 3, 7, 8, 9]  # the array of x.slurm" in text
    _, text = init(project, "dict.py")
    assert "command: python dict.py {n}" in text
    assert "  n: [1, 3, 7, 8, 9]  # the array of x.slurm" in text
    assert "index_variable" not in text
    (project / "b.pbs").write_text(
        "#PBS -J 2-10:2\n#PBS -l select=1:ncpus=16:mem=4gb\n#PBS -l walltime=02:00:00\ncd $PBS_O_WORKDIR\n./x $PBS_ARRAY_INDEX\n"
    )
    written, text = init(project, "b.pbs")
    assert "command: bash b.pbs" in text
    assert "{range: {from: 2, to: 10, by: 2}}  # the array of b.pbs" in text
    assert "resources: {cpus: 16, memory: 4 GB, time: 2 h}  # as in b.pbs" in text
    assert "b.pbs, line 4: cd $PBS_O_WORKDIR leaves the task's own copy of the project" in written.notes[0]
    assert len(from_file(project / "study.yaml").study.factors) == 1


def test_what_is_not_certain_is_not_taken_from_a_job_script(project: Path) -> None:
    (project / "other.sh").write_text(ARRAY_JOB.replace("1-200%20", "1-5"))
    _, text = init(project, "array_test.py")
    assert "task_id: 0  # the index of the array; for 100 tasks" in text, "two job scripts, which differ"
    assert "resources:" not in text


def test_settings_are_known_by_the_name_that_the_script_gives_them(project: Path) -> None:
    (project / "c.yaml").write_text("lr: 0.1\nname: a\n")
    for source, added in [
        ("import yaml\nwith open('c.yaml') as f:\n    cfg = yaml.safe_load(f)\n", "cfg.update(task.params)"),
        ("import yaml\nself.conf = yaml.safe_load(open('c.yaml'))\n", "conf.update(task.params)"),
    ]:
        (project / "s.py").write_text(source)
        _, text = init(project, "s.py", "q.yaml")
        assert f"#   {added}" in text
        assert "#   lr: 0.1" in text
    (project / "s.R").write_text('opts <- yaml::read_yaml("c.yaml")\n')
    assert "opts <- modifyList(opts, params)" in init(project, "s.R", "q.yaml")[1]


def test_data_outside_of_the_repository_is_in_the_study(project: Path) -> None:
    code = project / "code"
    code.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=code, check=True)
    (project / "data").mkdir()
    (project / "data/x.csv").write_text("1\n")
    (code / "fit.py").write_text("print(open('../data/x.csv').read())\n")
    _, text = init(project, "code/fit.py")
    assert "data: [../data]  # outside of the project" in text
    assert from_file(code / "study.yaml").study.data == ("../data",)


def test_why_the_study_is_not_beside_the_script_is_true(project: Path) -> None:
    (project / "pkg").mkdir()
    (project / "pkg/__init__.py").touch()
    (project / "pkg/core.py").touch()
    (project / "pkg/main.py").write_text("from .core import f\n")
    written, _ = init(project, "pkg/main.py")
    assert written.notes == (
        "the study is in ., not beside main.py: its relative imports need the folder above the package",
    )


def test_a_draft_without_its_values_does_not_start(project: Path) -> None:
    (project / "n.py").write_text("p.add_argument('--n', type=int, required=True)\n")
    written, _ = init(project, "n.py")
    assert written.found == "parameters n; 1 value to write: CHANGE-ME"
    with pytest.raises(StudyError, match="'n' has no value yet") as caught:
        from_file(project / "study.yaml")
    assert caught.value.where.endswith("study.yaml:8")


@pytest.mark.parametrize(
    ("used", "line"),
    [
        (8, "{cpus: 8, memory: 2000 MB, time: 10 min}  # array_test.py, line 2, uses 8 cores, though jobs/array_test.sh asks for 4"),
        (2, "{cpus: 4, memory: 2000 MB, time: 10 min}  # as in jobs/array_test.sh, though array_test.py, line 2, uses 2 cores"),
    ],
)  # fmt: skip
def test_cores_of_the_job_script_and_of_the_script_that_differ(project: Path, used: int, line: str) -> None:
    pool = f"from multiprocessing import Pool\npool = Pool({used})\n"
    (project / "array_test.py").write_text(pool + ARRAY_TEST)
    _, text = init(project, "array_test.py")
    assert f"resources: {line}\n" in text
