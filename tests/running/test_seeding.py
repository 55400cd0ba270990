"""Generators of a slot of functions that are loaded late, run by the installed command."""

from __future__ import annotations

import random
import re

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
