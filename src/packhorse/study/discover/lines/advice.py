"""The lines of a drafted study on what its script fixes: constants, files of settings, seeds and cores."""

from __future__ import annotations

from collections.abc import Iterator

from packhorse.study.discover.discovered import Discovered
from packhorse.study.discover.lines.text import one_line
from packhorse.study.discover.settings import sweep_lines
from packhorse.text.amounts import counted, size
from packhorse.text.units import duration_text


def advice_lines(discovered: Discovered) -> Iterator[str]:
    """Yield how to sweep what a script does not take as arguments: its constants and its files of settings."""
    facts = discovered.facts
    r = discovered.is_r
    for config in facts.configs if not facts.hydra else ():
        name, variable = config.path, config.variable
        keys = discovered.settings.get(name)
        listed = f" ({one_line(', '.join(list(keys)[:12]))})" if keys else ""
        yield f"# {one_line(discovered.filename)} reads settings from {one_line(name)}{listed}."
        yield "# To sweep some of them, add to the script, after the line that reads them:"
        if r:
            yield '#   if (nzchar(Sys.getenv("PACKHORSE_R"))) source(Sys.getenv("PACKHORSE_R"))'
            yield f'#   if (exists("params")) {variable} <- modifyList({variable}, params)'
        elif name.endswith((".ini", ".cfg")):
            yield "#   from packhorse import task"
            yield f'#   {variable}["SECTION"].update({{name: str(value) for name, value in task.params.items()}})'
        else:
            yield "#   from packhorse import task"
            yield f"#   {variable}.update(task.params)"
        yield "# and their names and values to the parameters here."
    if facts.parameters or facts.index or facts.hydra or not facts.constants:
        return
    names = ", ".join(p.name for p in facts.constants)
    taken = "takes no arguments, but has constants at its top"
    yield f"# {one_line(discovered.filename)} {taken}: {names}."
    yield "# To sweep them, add below them in the script:"
    yield from (f"#   {line}" for line in sweep_lines(facts.constants, r=r, short=facts.seed32))
    yield "# and remove the # from the parameters here."


# --- Repetition ---


def repetition_lines(discovered: Discovered) -> list[str]:
    """Return the replicates and the seed, and what the script's own seed means for them."""
    facts = discovered.facts
    if any(p.role == "seed" for p in facts.parameters):
        return ["", "replicates: 1  # repetitions at each point, each with its own seed", "seed: 1"]
    swept = any(p.role == "seed" for p in facts.constants) and not facts.parameters and not facts.index
    fixed = next((call for call in discovered.seeds if call.constant), None)
    if (
        fixed
        and all(call.constant for call in discovered.seeds)
        and not swept
        and not discovered.asks_packhorse
    ):
        varied = f"an argument for {discovered.seed}" if not facts.index else "the index of the array"
        return [
            "",
            f"# {one_line(discovered.script)}, line {fixed.line}: {one_line(fixed.text)[:80]} is the same in every task,"
            " so all tasks draw the same numbers.",
            f"# If they should not, let the script use {varied}, or the environment variable {_variable(discovered)}.",
            "replicates: 1",
        ]
    unknown = discovered.random and not discovered.seeds and not discovered.sources
    if unknown and not discovered.index_variable and not discovered.asks_packhorse and not swept:
        return [
            "",
            f"# {one_line(discovered.script)} draws random numbers, and no seed was found in it: a task that runs again has"
            " other results.",
            f"# Give it an argument for {discovered.seed}, or let it read the environment variable {_variable(discovered)}.",
            "replicates: 1",
        ]
    if facts.index:
        return [""]
    return [
        "",
        "# replicates: 100  # repetitions at each point; {seed} in the command gives each its own seed",
    ]


def _variable(discovered: Discovered) -> str:
    return "PACKHORSE_" + discovered.seed.strip("{}").upper()


# --- Resources ---


def _cores(discovered: Discovered) -> tuple[int, str]:
    """Return the larger of what the job script asks for and its script uses, and where it comes from."""
    request, cores = discovered.request, discovered.cores
    stated = request.cpus if request else 0
    asks = f"as in {one_line(request.source)}" if request else ""
    uses = f"{one_line(discovered.script)}, line {cores.line}, uses {counted(cores.count, 'core')}"
    if cores.count > max(stated, 1):
        other = f", though {one_line(request.source)} asks for {stated}" if request and stated else ""
        return cores.count, uses + other
    return stated, f"{asks}, though {uses}" if 0 < cores.count < stated else asks


def resource_lines(discovered: Discovered) -> list[str]:
    """Return what one task needs: as its job script asks for, else the cores that the script itself fixes."""
    request, cores = discovered.request, discovered.cores
    name = one_line(discovered.script)
    lines = []
    cpus, source = _cores(discovered)
    parts = {"cpus": str(cpus) if cpus > 1 else ""}
    if request and request.memory:
        parts["memory"] = size(request.memory)
    if request and request.seconds:
        parts["time"] = duration_text(request.seconds)
    if request and request.gpus:
        parts["gpus"] = str(request.gpus)
    given = ", ".join(f"{key}: {value}" for key, value in parts.items() if value)
    lines += [f"resources: {{{given}}}  # {source}"] if given else []
    if request and request.modules:
        lines.append(f"cluster: {{modules: [{', '.join(request.modules)}]}}")
    if cores.all_cores and not cores.count:
        wrong = (
            f"{name}, line {cores.all_cores_line}: {cores.all_cores}() counts the cores of the whole node."
        )
        right = (
            'as.integer(Sys.getenv("MC_CORES"))' if discovered.is_r else 'int(os.environ["OMP_NUM_THREADS"])'
        )
        lines += [f"# {wrong} Use those of the task, {right}, and write resources: {{cpus: 4}}"]
    return lines
