"""Import a module in the background."""

from __future__ import annotations

import importlib
import threading


def import_in_background(name: str) -> None:
    """Import a module in a thread of its own, so that the end of a run need not wait for it.

    Ctrl-C cannot interrupt the import halfway, since signals go to the main thread.
    """
    threading.Thread(target=importlib.import_module, args=(name,), daemon=True).start()
