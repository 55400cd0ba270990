"""Render the job scripts of a run, and the argv templates of every later submission."""

from __future__ import annotations

import shlex

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.job import Request, Wait
from packhorse.plan.continuation import Continuation
from packhorse.plan.shape import Rung
from packhorse.project.placement import Place, Proposal
from packhorse.remote.run_store import RunStore
from packhorse.rundir.files import write_file
from packhorse.schedulers.scheduler import Scheduler
from packhorse.schedulers.script import Raw, job_script

TOKEN = "{token}"  # noqa: S105 - a placeholder
ABOUT_WAVE = """\
One job of a Packhorse run: a worker that runs tasks until none is left, or until its time is nearly over.
Packhorse submits it as an array: ${wave} is the wave, ${last} the number of the array's last job.
Where jobs may not submit jobs, and this one was queued in advance, ${follows} is the wave before it.
The worker sets the number of threads for each task (OMP_NUM_THREADS and the like) to the cores that it requests."""
ABOUT_CONTINUATION = """\
Starts when the jobs of wave ${wave} have ended, whether they failed or not, and submits another wave for the
tasks without a result. It needs no other program or login."""


class Caps(Struct, frozen=True, kw_only=True):
    """Limits at which the continuation submits no further wave."""

    waves: int = 100
    core_hours: float | None = None
    idle: int = 2  # waves without a new result


def render(
    store: RunStore, place: Place, dialect: Scheduler, base: Request, proposal: Proposal, caps: Caps
) -> None:
    """Write the files that later waves need, before the first wave is submitted.

    `base` is the request of an element without its size, which is that of a rung. Where the proposal has no
    continuation, `packhorse run` submits later waves.
    """
    rungs, continuation = proposal.rungs, proposal.continuation
    folder = store.run.path / "waves"
    for rung in rungs:
        write_file(folder / f"job-{rung.name}.sh", wave_script(store, place, dialect, base, rung), 0o700)
    after: list[str] = []
    if continuation is not None:
        write_file(folder / "continue.sh", continue_script(store, place, dialect, base, continuation), 0o700)
        after = dialect.submit_template(_continuation_request(store, base), after=True)
    mail = place.asked.mail and place.asked.mail_when
    for name, text in mail_scripts(place, dialect, base, continuation).items() if mail else ():
        write_file(folder / name, text, 0o700)
    templates = {
        "format": "packhorse-continue",
        "version": 1,
        "run": store.run.about().id,
        "python": store.python,
        "latency": place.site.latency,
        "rungs": [_rung(store, rung) for rung in rungs],
        "submit": dialect.submit_template(_wave_request(store, base)),
        "after": after,
        "release": dialect.release_argv("{job}"),
        "asked": _cancelled_query(dialect),
        "unset": list(dialect.unset),
        "memory_words": list(dialect.memory_words),
        "node_words": list(dialect.node_words),
        "final_refusals": list(dialect.final_refusals),
        "compute_submits": place.site.compute_submits,
        "mail": _mail(store, place, dialect, base) if mail else None,
        **msgspec.to_builtins(caps),
    }
    write_file(folder / "continue.json", msgspec.json.format(msgspec.json.encode(templates), indent=1))


def element_request(base: Request, rung: Rung) -> Request:
    """Return the request of one element of a wave."""
    return replace(
        base,
        cores=rung.cores,
        memory=rung.memory,
        gpus=rung.gpus,
        seconds=rung.seconds,
        whole_nodes=rung.whole_nodes,
    )


def wave_script(store: RunStore, place: Place, dialect: Scheduler, base: Request, rung: Rung) -> str:
    """Return the job script of one element: it becomes a worker."""
    names = dialect.variables
    last = names.last if names.last.isidentifier() else f"${names.last}"
    program = [store.python, "-S", "-E", f"{store.path}/worker.pyz", "work"]
    program += [_under(store, f'"/waves/${names.wave}/work.json"'), "--element", Raw(names.element)]
    program += ["--elements", Raw(f'"$(({last} + 1))"')]
    program += ["--restart", Raw(names.restart)] if names.restart else []
    program += ["--owner", Raw(names.job), "--follows", Raw(f'"${{{names.follows}:-0}}"')]
    program += ["--slots", str(rung.slots), "--seconds", str(rung.seconds or 0)]
    if place.site.scratch:
        program += ["--scratch", Raw(f'"{place.site.scratch}"')]
    head = dialect.directives(element_request(base, rung))
    first, about = dialect.startup_lines(_output(store)), _about(ABOUT_WAVE, dialect)
    return job_script(head, about, setup_lines(place), program, place.site.setup, first)


def continue_script(
    store: RunStore, place: Place, dialect: Scheduler, base: Request, continuation: Continuation
) -> str:
    """Return the job script of the continuation, which runs when wave $1 has ended."""
    request = _small_request(f"{base.name}-next", dialect, base, continuation)
    program = [store.python, "-S", "-E", f"{store.path}/worker.pyz", "continue", store.path]
    program += [Raw(f'"${dialect.variables.wave}"'), "--seconds", str(continuation.patience)]
    first, about = dialect.startup_lines(_output_after(store)), _about(ABOUT_CONTINUATION, dialect)
    return job_script(dialect.directives(request), about, [], program, place.site.setup, first)


MAIL_DONE, MAIL_FAILED, MAIL_BEGAN = "mail.sh", "mail-failed.sh", "mail-begin.sh"


def mail_scripts(
    place: Place, dialect: Scheduler, base: Request, continuation: Continuation | None = None
) -> dict[str, str]:
    """Return the scripts of jobs that do nothing, so that the scheduler sends one mail, by file name.

    For an array the scheduler may send a mail for each element, and some sites refuse arrays that request mail. The one
    for a run that has not ended well fails, since its mail says how the job ended. That for the begin waits for {job}.
    """
    size = continuation or Continuation(partition=base.partition, seconds=60)
    request = replace(
        _small_request(base.name, dialect, base, size),
        memory=None,
        seconds=60,
        requeue=True,
        mail=place.asked.mail,
        mail_when=("end",),
    )
    began = replace(
        request,
        name=f"{base.name}: began",
        mail_when=("begin",),
        waits=(Wait(job="{job}", until="start"),),
        output="/dev/null",
    )
    about = "Does nothing: the scheduler's mail at its {} reports the {} of the run."
    # Slurm takes the end of a job that failed for a failure, and for nothing else.
    failed = dialect.directives(replace(request, mail_when=("end", "fail")))
    end = about.format("end", "end")
    scripts = {
        MAIL_DONE: job_script(dialect.directives(request), end, [], ["true"]),
        MAIL_FAILED: job_script(failed, end, [], ["false"]),
    }
    if "begin" in place.asked.mail_when:
        begin = dialect.directives(began), about.format("begin", "begin")
        scripts[MAIL_BEGAN] = job_script(*begin, [], ["true"])
    return scripts


def _small_request(name: str, dialect: Scheduler, base: Request, size: Continuation) -> Request:
    """Return the request of a job of one core that belongs to a run; it is charged as the run's waves are."""
    return Request(
        name=name,
        partition=size.partition,
        account=base.account,
        qos=base.qos,
        cores=1,
        memory=size.memory,
        gpus=size.gpus,
        gres=size.gres,
        seconds=size.seconds,
        options=dialect.charged_options(base.options),
    )


def _mail(store: RunStore, place: Place, dialect: Scheduler, base: Request) -> dict[str, object]:
    """Return how the one mail at the end is sent; `when` is "fail" where only failures are reported, "" for never."""
    ends = [when for when in ("end", "fail") if when in place.asked.mail_when]
    return {
        "argv": dialect.notification_argv(f"{store.path}/waves/{MAIL_DONE}"),
        "failed": dialect.notification_argv(f"{store.path}/waves/{MAIL_FAILED}"),
        "name": base.name,
        "when": ends[0] if ends else "",
        "not_in_names": dialect.not_in_names,
    }


def setup_lines(place: Place) -> list[str]:
    """Return the shell lines before the worker: the study's modules, then its setup lines."""
    loads = [f"module load {shlex.quote(name)}" for name in place.asked.modules]
    return [*loads, *place.asked.setup]


def _under(store: RunStore, rest: str) -> Raw:
    return Raw(shlex.quote(store.path) + rest)


def _rung(store: RunStore, rung: Rung) -> dict[str, object]:
    script = f"{store.path}/waves/job-{rung.name}.sh"
    return {**msgspec.to_builtins(rung), "script": script}


def _wave_request(store: RunStore, base: Request) -> Request:
    """Return the request of a wave, with placeholders that each submission fills."""
    output = _output(store)
    return replace(base, token=TOKEN, elements=1, output=output, exclude=("{exclude}",), after="{job}")


def _continuation_request(store: RunStore, base: Request) -> Request:
    name, output = f"{base.name}-next", _output_after(store)
    return replace(base, name=name, token=TOKEN, output=output, after="{job}", throttle=0)


def _cancelled_query(dialect: Scheduler) -> dict[str, object]:
    argv, cancelled = dialect.cancelled_query("{job}")
    return {"argv": argv, "cancelled": cancelled}


def _output(store: RunStore) -> str:
    return f"{store.path}/logs/job-{{wave}}-{{element}}.out"


def _output_after(store: RunStore) -> str:
    # Beside its script: a job fails before its first line where the folder of its output does not exist.
    return f"{store.path}/waves/continue-{{wave}}.out"


def _about(text: str, dialect: Scheduler) -> str:
    """Return the comment of a script, with the names of the dialect's variables filled in."""
    names = dialect.variables
    for placeholder, name in {"{wave}": names.wave, "{last}": names.last, "{follows}": names.follows}.items():
        text = text.replace(placeholder, name)
    return text
