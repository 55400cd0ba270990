"""Importing what the end of a run needs while its tasks still run."""

from __future__ import annotations

import importlib
import threading


def import_ahead(name: str) -> None:
    """Import a module in a thread of its own: it costs nothing then, and Ctrl-C never meets it half loaded."""
    threading.Thread(target=importlib.import_module, args=(name,), daemon=True).start()
