"""A backend of joblib: `with joblib.parallel_config("packhorse", site="hec"):` runs what uses joblib, such as scikit-learn.

joblib looks backends up by name in `joblib.parallel.EXTERNAL_BACKENDS` (register_parallel_backend, and its documentation of
custom backends), and calls the methods below.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from joblib._parallel_backends import AutoBatchingMixin
from joblib.parallel import ParallelBackendBase, register_parallel_backend

from packhorse.api.calls.values import Buffers
from packhorse.api.executor import Executor
from packhorse.runtime.capacity import usable_cores

AHEAD = 500  # jobs that joblib believes a site to have, where it asks for all: it submits twice as many calls at once


class PackhorseBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]  # joblib has no types
    """Calls of joblib as calls of an executor; the keywords are those of `packhorse.Executor`."""

    supports_retrieve_callback = True
    supports_inner_max_num_threads = False
    default_n_jobs = -1

    def __init__(
        self, nesting_level: int | None = None, inner_max_num_threads: None = None, **keys: Any
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        self.keys = keys
        self.executor: Executor | None = None
        self.jobs = 0
        self.parallel: Any = None

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many calls run at a time here, or how many joblib is told that a site runs."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        most = usable_cores() if self.keys.get("site") in (None, "local") else AHEAD
        return max(1, most + 1 + n_jobs) if n_jobs < 0 else n_jobs

    def configure(self, n_jobs: int = 1, parallel: Any = None, **ignored: Any) -> int:  # noqa: ARG002 - of other backends
        """Prepare for so many jobs; the executor stays for further calls."""
        self.parallel = parallel
        jobs = self.effective_n_jobs(n_jobs)
        if self.executor is None or jobs != self.jobs:
            self._close(stop=False)
            local = self.keys.get("site") in (None, "local")
            self.executor = Executor(jobs if local else None, **self.keys)
            # As with joblib's own processes, large arrays are mapped once, and calls cannot write them.
            self.executor.buffers = Buffers(shared=True)
            self.jobs = jobs
        return jobs

    def compute_batch_size(self) -> int:
        """Return how many calls are one; on a site each is its own, since workers take as many as are worth it."""
        if self.keys.get("site") not in (None, "local"):
            return 1
        size: int = super().compute_batch_size()
        return size

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], Any] | None = None) -> Future[Any]:
        """Submit a batch of calls."""
        if self.executor is None:
            self.configure(self.jobs, self.parallel)
        assert self.executor is not None
        future = self.executor.submit(operator.call, func)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """Return the results of a batch, or raise its error."""
        return out.result()

    def start_call(self) -> None:
        """Begin a call of Parallel, during which arguments do not change."""
        if self.executor is not None:
            self.executor.buffers.remembered = {}

    def stop_call(self) -> None:
        """End it."""
        if self.executor is not None:
            self.executor.buffers.remembered = None

    def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002 - joblib's signature
        """End running calls here, since one has failed; jobs on a site continue and are not waited for."""
        self._close(stop=True)

    def _close(self, *, stop: bool) -> None:
        executor, self.executor = self.executor, None
        if executor is not None:
            executor.close(wait=False, cancel=stop, stop=stop)


def register() -> None:
    """Let joblib find the backend by the name `packhorse`."""
    register_parallel_backend("packhorse", PackhorseBackend)
