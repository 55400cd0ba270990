"""The dialect of OpenPBS and PBS Pro, in words of their version 19 and later."""

from __future__ import annotations

from packhorse.schedulers.openpbs.dialect import OpenPBS

__all__ = ["OpenPBS"]
