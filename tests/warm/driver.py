"""Run cases cold and warm, as the launcher does; reads and writes JSON files. Runs under the worker's interpreter."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from packhorse.worker import process
from packhorse.worker.warm.command import Cold, understand
from packhorse.worker.warm.proof import FILE, content_of, verdict
from packhorse.worker.warm.starts import new_process, package_of
from packhorse.worker.warm.warm_process import Unfit, WarmProcess


def make_slot(case: dict[str, Any], scratch: Path) -> Slot:
    """Write the files of a case and make its slot."""
    home = scratch / case["name"]
    home.mkdir(parents=True)
    for name, text in case["files"].items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        if text.startswith("#!"):
            path.chmod(0o755)
    variables = {**os.environ, "PYTHONPATH": "", "PACKHORSE_TASK": "0", **case.get("env", {})}
    env = {os.fsencode(name): os.fsencode(value) for name, value in variables.items() if value is not None}
    place = scratch / f"{case['name']}.slot"
    place.mkdir()
    return Slot(case["argv"], env, place, place / "code", home)


def run_case(case: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """Run one case twice cold, once to learn, twice warm."""
    slot = make_slot(case, scratch)
    found: dict[str, Any] = {"name": case["name"], "failed": [], "unfit": []}
    cold = [slot.cold(), slot.cold()]
    traces, why = [], ""
    try:
        trace, modules = slot.learn()
        traces.append(trace)
        found["modules"] = modules
        if modules is None:
            why = "it did not say what it loaded"
        else:
            found["unfit"] = slot.warm(modules)
            traces += [slot.forked(), slot.forked()]
    except Cold as error:
        why = f"cold: {error}"
    finally:
        slot.close()
    if not why:
        why = verdict(cold, traces)
    found["verdict"] = why
    found["traces"] = [
        {name: base64.b64encode(data).decode() for name, data in one.items()} for one in cold + traces
    ]
    return found


class Slot:
    """One case's slot: outputs in files, and warm processes."""

    def __init__(self, argv: list[str], env: dict[bytes, bytes], place: Path, work: Path, home: Path) -> None:
        self.argv, self.env, self.place, self.work, self.home = argv, env, place, work, home
        self.program = shutil.which(argv[0], path=os.fsdecode(env[b"PATH"])) or argv[0]
        self.server: WarmProcess | None = None
        self.outputs = []
        for number in (1, 2):
            path = place / str(number)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            os.dup2(descriptor, number)
            os.close(descriptor)
        self.work.mkdir()
        os.chdir(self.work)

    def fresh(self) -> dict[str, Any]:
        for entry in os.scandir(self.work):
            shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else Path(entry.path).unlink()
        shutil.copytree(self.home, self.work, dirs_exist_ok=True)
        return self.state()

    def state(self) -> dict[str, Any]:
        found = {}
        for folder, folders, names in os.walk(self.work):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in names:
                path = Path(folder, name)
                about = path.lstat()
                found[str(path.relative_to(self.work))] = (about.st_size, about.st_mtime_ns)
        return found

    def trace(self, status: int, before: dict[str, Any]) -> dict[str, bytes]:
        process.end_orphans([self.server.pid] if self.server else ())
        found = {"exit status": str(status).encode()}
        for number, name in ((1, "output"), (2, "messages")):
            size = os.lseek(number, 0, os.SEEK_END)
            found[name] = os.pread(number, size, 0)
            os.ftruncate(number, 0)
        after = self.state()
        for path in {**before, **after}:
            if before.get(path) != after.get(path):
                found[FILE + path] = content_of(str(self.work / path)) or b"removed"
        return found

    def cold(self) -> dict[str, bytes]:
        before = self.fresh()
        pid = process.spawn(self.program, self.argv, self.env)
        _, status, _ = os.wait4(pid, 0)
        return self.trace(status, before)

    def begin(self) -> None:
        self.fresh()
        self.server = new_process(understand(self.argv, self.program), str(self.place), self.env)

    def learn(self) -> tuple[dict[str, bytes], list[str] | None]:
        self.begin()
        assert self.server is not None
        self.server.warm([], str(self.work))
        trace, modules = self.run(learns=True)
        self.close()
        return trace, modules

    def warm(self, modules: list[str]) -> list[str]:
        """Warm a process, leaving out packages that make it unfit; return these."""
        left_out: list[str] = []
        command = understand(self.argv, self.program)
        while True:
            self.begin()
            assert self.server is not None
            try:
                kept = [name for name in modules if package_of(command, name) not in left_out]
                self.server.warm(kept, str(self.work))
            except Unfit as error:
                self.close()
                left_out.append(package_of(command, error.module))
                if len(left_out) > 5:
                    raise Cold(str(error)) from None
                continue
            return left_out

    def run(self, *, learns: bool) -> tuple[dict[str, bytes], list[str] | None]:
        assert self.server is not None
        before = self.fresh()
        pid = self.server.start(understand(self.argv, self.program), self.env, str(self.work), learns=learns)
        status, _, _, modules = self.server.wait(pid)
        return self.trace(status, before), modules

    def forked(self) -> dict[str, bytes]:
        return self.run(learns=False)[0]

    def close(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None


def main() -> None:
    """Run the cases of a file in a folder, and write what came of each to another file, a line each."""
    cases, scratch, results = sys.argv[1:]
    process.adopt_orphans()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    with Path(results).open("w") as stream:
        for case in json.loads(Path(cases).read_text()):
            found = run_case(case, Path(scratch))
            stream.write(json.dumps(found) + "\n")
            stream.flush()


if __name__ == "__main__":
    main()
