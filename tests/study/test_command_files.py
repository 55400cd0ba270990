"""What a command names is checked before anything runs: its script, and its parameters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from packhorse.app.studies.plan import plan_study
from packhorse.model.errors import RunError
from packhorse.preflight.command_files import missing_scripts, named_script
from packhorse.project.source import from_file

Run = Callable[..., CompletedProcess[str]]


def test_the_script_of_a_command_is_known_only_where_it_is_certain() -> None:
    for command, script in [
        ("python -u sim.py {n}", "sim.py"),
        ("python3.11 sim.py", "sim.py"),
        ("Rscript --vanilla a/b.R", "a/b.R"),
        ("bash run.sh", "run.sh"),
        ("python -m pkg.sim", ""),
        ("python -c 1 x.py", ""),
        ("python {script}.py", ""),
        ("./sim.py", ""),
        ("python -W ignore sim.py", ""),
    ]:
        assert named_script(command.split()) == script, command


def test_a_missing_script_is_refused_and_an_unused_parameter_told(tmp_path: Path, packhorse: Run) -> None:
    (tmp_path / "array_test.py").write_text("import sys\nprint(sys.argv)\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/fit.py").touch()
    study = tmp_path / "study.yaml"

    def write(command: str, more: str = "") -> None:
        study.write_text(
            f"name: a\ncommand: {command}\nparameters: {{n: [1, 2], m: [3]}}\nresult: none\n{more}"
        )

    write("python arry_test.py {n} {m}")
    for word in ("plan", "try", "run"):
        done = packhorse(word, cwd=tmp_path)
        assert done.returncode == 5
        assert "arry_test.py, which the command names, does not exist" in done.stderr
        assert "nearest names: array_test.py" in done.stderr
    write("python fit.py {n} {m}")
    with pytest.raises(RunError) as wrong:
        plan_study(from_file(study))
    assert "where tasks start: sub/fit.py" in str(wrong.value.hint)
    write("python array_test.py {n}")
    (note,) = [note for note in plan_study(from_file(study)).notes if "'m'" in note]
    assert note == (
        "the parameter 'm' is not used: write {m} in the command, or let the script read it (packhorse.task)"
    )
    write("python array_test.py {n}", "index_variable: {name: SLURM_ARRAY_TASK_ID, parameter: m}\n")
    assert not any("'m'" in note for note in plan_study(from_file(study)).notes)
    (tmp_path / "model.py").write_text("from packhorse import task\n")
    write("python array_test.py {n}")
    assert not any("'m'" in note for note in plan_study(from_file(study)).notes)


def test_the_scripts_of_job_scripts_are_looked_for(tmp_path: Path) -> None:
    (tmp_path / "array_test.py").touch()
    text = "#!/bin/bash\n#SBATCH --time=1:00\npython arry_test.py $SLURM_ARRAY_TASK_ID\nRscript /opt/x.R\n"
    assert missing_scripts(text, tmp_path) == [
        f"arry_test.py does not exist in {tmp_path}; nearest names: array_test.py"
    ]
    assert missing_scripts(text.replace("python", "cd code\npython"), tmp_path) == []
    assert missing_scripts("python array_test.py > x.txt", tmp_path) == []
