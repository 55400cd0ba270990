"""Generators of a slot of functions that are loaded late, run by the installed command."""

from __future__ import annotations

import random
import re

import pytest

from running.project import Project, bits


def test_a_generator_that_a_task_loads_itself_is_seeded_like_one_loaded_before(project: Project) -> None:
    code = """
        import random
        import numpy
        def f(n):
            return {"a": random.random(), "b": float(numpy.random.rand())}
        """
    project.file("model.py", code)
    project.study(function="model:f", parameters={"n": {"range": [12]}}).run("-j1")
    before = bits(project.table())
    late = re.sub(
        r"( +)import random\n +import numpy\n +def f\(n\):\n",
        r"\1def f(n):\n\1    import random, numpy\n",
        code,
    )
    assert late != code
    project.file("model.py", late)
    project.run("-j1", "--fresh")
    assert bits(project.table()) == before
    assert project.rows("a") == [random.Random(seed).random() for seed in project.rows("seed")]


def test_a_projects_own_random_module_is_left_alone(project: Project) -> None:
    project.file("random.py", "def draw():\n    return 4\n")
    project.file("model.py", "import random\ndef f(n):\n    return random.draw()\n")
    project.study(function="model:f", parameters={"n": [1, 2]}).run()
    assert project.rows("result") == [4, 4]


@pytest.mark.parametrize(
    ("command", "text", "empty"),
    [
        ("python sim.py {n}", "random.seed(int(sys.argv[1]))", True),
        ("python sim.py {n}", "random.seed(12345)", True),
        ("python sim.py {n}", "pass", False),  # nobody knows what it draws with
        ("python sim.py {seed}", "random.seed(int(sys.argv[1]))", False),
        ("python sim.py {n}", "import os; random.seed(int(os.environ['PACKHORSE_SEED']))", False),
        ("sh run.sh {n}", "random.seed(3)", False),  # the script behind the script is not read
    ],
)
def test_a_script_that_seeds_itself_has_no_seed_in_the_table(
    project: Project, command: str, text: str, empty: bool
) -> None:
    project.write(sim_py=f"import random, sys\n{text}\nprint({{'x': random.random()}})\n")
    project.file("run.sh", "python sim.py $1\n")
    project.study(command=command, parameters={"n": [1, 2, 3]}).run()
    assert [seed is None for seed in project.rows("seed")] == [empty] * 3
    # A table that is merged again, as by a later command, says the same.
    project.command("collect", "s")
    assert [seed is None for seed in project.rows("seed")] == [empty] * 3
