"""Entry: `worker.pyz work WORK_FILE ...` is a worker, `slot ...` one of its slots, `continue RUN WAVE` what follows."""

import argparse
import os
import socket
import sys


def main(arguments):
    """Run a worker, a slot or a continuation; return the exit status."""
    if arguments[:1] == ["slot"]:
        return slot(*arguments[1:])
    options = _parser().parse_args(arguments)
    if options.verb == "continue":
        from packhorse.worker.waves.continuation import go_on

        return go_on(options.run, options.wave, options.seconds)
    if options.follows and not _has_work(options):
        return 0
    from packhorse.worker.main_loop import Worker

    return Worker(options.work_file, options).run()


def _has_work(options):
    """Tell whether the wave that an earlier one made necessary has work; whoever comes first plans it."""
    from packhorse.worker.waves.preplanned import take_over

    run = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(options.work_file))))
    return take_over(run, options.follows, options.owner, options.elements)


def _parser():
    parser = argparse.ArgumentParser(prog="worker.pyz")
    verbs = parser.add_subparsers(dest="verb")
    verbs.required = True
    work = verbs.add_parser("work", help="take tasks of a wave until none is left")
    work.add_argument("work_file")
    work.add_argument("--slots", type=_slots, default=1, help="tasks at a time, or `auto`")
    work.add_argument("--element", type=int, default=0, help="which member of the wave's array we are")
    work.add_argument("--elements", type=int, default=1, help="how many members it has")
    work.add_argument("--restart", type=int, default=0, help="how often the scheduler started us before")
    work.add_argument("--owner", default="", help="the array's number: a wave has one array")
    work.add_argument("--scratch", default=None, help="folder for working copies (default: $TMPDIR or /tmp)")
    work.add_argument("--seconds", type=float, default=0.0, help="the job's time; 0 is without end")
    work.add_argument("--margin", type=float, default=None, help="seconds before the job's end to stop")
    work.add_argument(
        "--follows", type=int, default=0, help="the wave to look at first, for waves queued beforehand"
    )
    work.add_argument("--attached", action="store_true", help="stop when standard input closes")
    more = verbs.add_parser("continue", help="submit another wave for what a wave left missing")
    more.add_argument("run")
    more.add_argument("wave", type=int)
    more.add_argument("--seconds", type=float, default=600.0, help="how long to ask a scheduler that refuses")
    return parser


def _slots(said):
    return None if said == "auto" else int(said)


def slot(work_file, scratch, number, descriptor):
    """Serve one slot over an inherited socket."""
    from packhorse.worker.tasks.slot_folders import Place
    from packhorse.worker.work_file import load

    work, space = load(work_file, scratch)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=int(descriptor))
    os.set_inheritable(int(descriptor), False)
    place = Place(scratch, int(number), work)
    if work["function"]:
        from packhorse.worker.slots import function_server as kind
    else:
        from packhorse.worker.slots import launcher as kind
    kind.main(channel, work, space, place, int(number))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
