"""The dialect of OpenPBS and PBS Pro from version 19."""

from __future__ import annotations

from packhorse.schedulers.openpbs.dialect import OpenPBS

__all__ = ["OpenPBS"]
