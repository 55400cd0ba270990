"""Loads polars with an allocator that gives memory back at once.

Its allocator (jemalloc) otherwise keeps what is freed, so that a merge has every column in memory two or three times.
It reads its settings when it is loaded, and only from the environment; the variable is removed again, since tasks inherit
it.
"""

import os

_NAME = "_RJEM_MALLOC_CONF"
_GIVEN = os.environ.get(_NAME)
if _GIVEN is None:
    os.environ[_NAME] = "dirty_decay_ms:0,muzzy_decay_ms:0"
try:
    import polars  # noqa: F401
finally:
    if _GIVEN is None:
        os.environ.pop(_NAME, None)
