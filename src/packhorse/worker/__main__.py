"""Entry point: `worker.pyz work WORK_FILE` is a worker, `slot ...` one of its slots, `continue RUN WAVE` a continuation."""

import argparse
import os
import socket
import sys


def main(arguments: "list[str]") -> int:
    """Run a worker, a slot or a continuation; return the exit status."""
    if arguments[:1] == ["slot"]:
        return slot(*arguments[1:])
    options = _parser().parse_args(arguments)
    if options.verb == "continue":
        from packhorse.worker.waves.continuation import continue_run

        return continue_run(options.run, options.wave, options.seconds)
    if options.follows and not _plan_follower(options):
        return 0
    from packhorse.worker.main_loop import Worker

    return Worker(options.work_file, options).run()


def _plan_follower(options: argparse.Namespace) -> bool:
    """Plan a wave whose array was queued before it was planned; return whether it has work."""
    from packhorse.worker.waves.preplanned import plan_queued_wave

    run = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(options.work_file))))
    return plan_queued_wave(run, options.follows, options.owner, options.elements)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="worker.pyz")
    verbs = parser.add_subparsers(dest="verb")
    verbs.required = True
    work = verbs.add_parser("work", help="run tasks of a wave until none is left")
    work.add_argument("work_file")
    work.add_argument("--slots", type=_slots, default=1, help="tasks at a time, or `auto`")
    work.add_argument("--element", type=int, default=0, help="number of this element of the wave's array")
    work.add_argument("--elements", type=int, default=1, help="elements of the array")
    work.add_argument("--restart", type=int, default=0, help="how often the scheduler restarted this element")
    work.add_argument("--owner", default="", help="id of the array job: one array works on a wave")
    work.add_argument("--scratch", default=None, help="folder for working copies (default: $TMPDIR or /tmp)")
    work.add_argument("--seconds", type=float, default=0.0, help="time limit of the job; 0 is unlimited")
    work.add_argument(
        "--margin", type=float, default=None, help="seconds before the end of the job to stop tasks"
    )
    work.add_argument(
        "--follows",
        type=int,
        default=0,
        help="the wave before this one, if this one was queued before it was planned",
    )
    work.add_argument("--attached", action="store_true", help="stop when standard input closes")
    work.add_argument("--stream", action="store_true", help="read the tasks to run from standard input")
    more = verbs.add_parser("continue", help="submit another wave for the unfinished tasks of a wave")
    more.add_argument("run")
    more.add_argument("wave", type=int)
    more.add_argument(
        "--seconds",
        type=float,
        default=600.0,
        help="how long to repeat a submission that the scheduler refuses",
    )
    return parser


def _slots(text: str) -> "int | None":
    return None if text == "auto" else int(text)


def slot(work_file: str, scratch: str, number: str, descriptor: str, again: str = "") -> int:
    """Serve one slot over an inherited socket; `again` if the slot's process before this one died."""
    from packhorse.worker.tasks.slot_folders import SlotFolders
    from packhorse.worker.work_file import read_work_file

    work, space = read_work_file(work_file, scratch)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=int(descriptor))
    os.set_inheritable(int(descriptor), False)
    folders = SlotFolders(scratch, int(number), work)
    # A slot imports only what its kind needs, since it starts once for each core.
    if work["function"]:
        from packhorse.worker.slots.function_server import main as serve
    else:
        from packhorse.worker.slots.launcher import main as serve
    serve(channel, work, space, folders, int(number), again=bool(again))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
