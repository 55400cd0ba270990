"""Building one environment from its orders: `build.py CLAIM`. It is copied alone, and outlives the session that started it.

The environment is built at its final path, since scripts in it name their interpreter by its path. It is complete when
it holds `packhorse-environment.json`, which is written last. No other process builds there while the claim is ours.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

BEAT_SECONDS = 5
LINES = 30  # of a failed command's output that are reported


class Late(Exception):
    """The time limit of the build is over."""


class Builder(object):
    """One build: its orders, its log and its heartbeat."""

    def __init__(self, claim):
        self.claim = claim
        with open(os.path.join(claim, "orders.json"), "rb") as stream:
            self.orders = json.loads(stream.read().decode("utf-8", "surrogateescape"))
        self.final, self.begun = self.orders["final"], time.time()
        self.step, self.process, self.over = "", None, False
        self.mark = os.stat(claim).st_ino

    def ours(self):
        """Return whether the claim is still the one that this process was started for."""
        try:
            return os.stat(self.claim).st_ino == self.mark
        except OSError:
            return False

    def beat(self):
        """Write the heartbeat as long as the claim is ours; exit if it is not."""
        number = 0
        while not self.over:
            number += 1
            heartbeat = {"host": socket.gethostname(), "pid": os.getpid(), "beat": number, "step": self.step}
            if not self.ours() and not self.over:
                self.kill()
                os._exit(3)
            self.tell("alive.json", dict(heartbeat, seconds=time.time() - self.begun))
            time.sleep(BEAT_SECONDS)

    def tell(self, name, value):
        """Write a JSON file of the claim atomically."""
        path = os.path.join(self.claim, name)
        try:
            with open(path + ".part", "w") as stream:
                json.dump(value, stream)
            os.rename(path + ".part", path)
        except OSError:  # a full disk: the heartbeat stops
            pass

    def kill(self):
        """Kill the running command and its process group."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except OSError:
                pass

    def run(self, argv, log, output=None):
        """Run a command and log it; return its exit status."""
        log.write(("\n$ %s\n" % " ".join(argv)).encode("utf-8", "surrogateescape"))
        log.flush()
        left = self.begun + self.orders["seconds"] - time.time()
        environ = dict(os.environ, **self.orders["variables"])
        for name in self.orders["unset"]:
            environ.pop(name, None)
        try:
            self.process = subprocess.Popen(
                argv, env=environ, cwd=self.claim, stdin=subprocess.DEVNULL, stdout=output or log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            log.write(("%s: %s\n" % (argv[0], error.strerror)).encode("utf-8", "surrogateescape"))
            return 127
        try:
            return self.process.wait(timeout=max(1.0, left))
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.wait()
            raise Late() from None

    def build(self):
        """Run every step; return what failed, or None."""
        shutil.rmtree(self.final, ignore_errors=True)
        with open(self.orders["log"], "wb") as log:
            for step in self.orders["steps"]:
                self.step, at = step["about"], log.tell()
                try:
                    status = self.run(step["argv"], log)
                except Late:
                    return {"argv": step["argv"], "late": self.orders["seconds"], "lines": self.lines(at)}
                if status and not step.get("may_fail"):
                    return {"argv": step["argv"], "status": status, "lines": self.lines(at)}
            return self.ask(log)

    def lines(self, at):
        """Return the last lines of the log after offset `at`, without the command itself."""
        with open(self.orders["log"], "rb") as stream:
            stream.seek(at)
            rows = stream.read().decode("utf-8", "replace").replace("\r", "\n").splitlines()
        return [row for row in rows if row.strip() and not row.startswith("$ ")][-LINES:]

    def ask(self, log):
        """List the packages of the new environment, and mark it complete."""
        self.step, at = "listing its packages", log.tell()
        argv = [self.orders["python"], "-c", self.orders["probe"]]
        path = os.path.join(self.claim, "packages")
        with open(path, "wb") as output:
            status = self.run(argv, log, output)
        with open(path, "rb") as stream:
            text = stream.read().decode("utf-8", "replace").rpartition("@packhorse ")[2]
        try:
            found = json.loads(text)
        except ValueError:
            shown = [self.orders["python"], "-c", "(listing its packages)"]
            return {"argv": shown, "status": status, "lines": self.lines(at)}
        marks = [[path, os.stat(path).st_mtime_ns] for path in found["paths"] if path.startswith(self.final)]
        whole = {"about": self.orders["about"], "found": found, "marks": marks, "built": time.time(),
                 "seconds": time.time() - self.begun, "host": socket.gethostname()}  # fmt: skip
        path = os.path.join(self.final, "packhorse-environment.json")
        with open(path + ".part", "w") as stream:
            json.dump(whole, stream)
            stream.flush()
            os.fsync(stream.fileno())
        if not self.ours():
            os._exit(3)
        os.rename(path + ".part", path)
        return None


def main():
    """Build; leave a complete environment or failed.json."""
    os.umask(0o077)
    builder = Builder(sys.argv[1])
    life = threading.Thread(target=builder.beat)
    life.daemon = True
    life.start()
    try:
        failed = builder.build()
    except Exception as error:  # a full disk, a folder that vanished: reported as any failure
        failed = {"argv": ["build.py"], "status": 1, "lines": ["%s: %s" % (type(error).__name__, error)]}
    if failed:
        shutil.rmtree(builder.final, ignore_errors=True)
        builder.tell("failed.json", failed)
        return
    builder.over = True
    away = builder.claim + ".gone-%d" % os.getpid()
    os.rename(builder.claim, away)
    shutil.rmtree(away, ignore_errors=True)


if __name__ == "__main__":
    main()
