"""Entry: `worker.pyz work WORK_FILE ...` is a worker, `worker.pyz slot ...` one of its slots."""

import argparse
import os
import socket
import sys
import time


def main(arguments):
    """Run a worker or a slot; return the exit status."""
    if arguments[0] == "slot":
        return slot(*arguments[1:])
    parser = argparse.ArgumentParser(prog="worker.pyz")
    parser.add_argument("verb", choices=["work"])
    parser.add_argument("work_file")
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--element", type=int, default=0)
    parser.add_argument("--restart", type=int, default=0)
    parser.add_argument("--scratch", default=None, help="folder for working copies")
    parser.add_argument("--seconds", type=float, default=0.0, help="give back what is not begun after this")
    parser.add_argument("--attached", action="store_true", help="stop when standard input closes")
    options = parser.parse_args(arguments)
    options.begun = time.monotonic()
    from packhorse.worker.work import Worker

    return Worker(options.work_file, options).run()


def slot(work_file, scratch, number, descriptor):
    """Serve one slot over an inherited socket."""
    from packhorse.worker.place import Place
    from packhorse.worker.workfile import load

    work, space = load(work_file)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=int(descriptor))
    os.set_inheritable(int(descriptor), False)
    place = Place(scratch, int(number), work)
    if work["function"]:
        from packhorse.worker import function as kind
    else:
        from packhorse.worker import launcher as kind
    kind.main(channel, work, space, place, int(number))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
