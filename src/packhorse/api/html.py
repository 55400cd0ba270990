"""How runs and studies show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from packhorse.app.inspect.status import RunStatus, ScriptJobStatus

if TYPE_CHECKING:
    import polars as pl

ROWS = 5  # of a table
CAUSES = 5
BAR = "background:#ddd;width:20em;height:0.6em;display:flex"  # without colours that a dark theme hides
PART = '<div style="background:{colour};width:{share:.2f}%"></div>'


def run_html(found: RunStatus | ScriptJobStatus, path: Path) -> str:
    """Return a run as HTML: its state, a bar of its progress, why tasks failed, and the first rows of its table."""
    numbers = f"{found.done:,} of {found.tasks:,} tasks done"
    numbers += f", {found.failed:,} failed" if found.failed else ""
    rows = [f"<b>{escape(found.name)}</b>: {escape(found.state)}, {numbers}"]
    if found.tasks:
        rows.append(_bar([("#4a8", found.done), ("#c44", found.failed)], found.tasks))
    causes = [
        f"<li>{escape(f'{one.count:,} {one.outcome}: {one.message}')}</li>" for one in found.causes[:CAUSES]
    ]
    if causes:
        rows.append(f"<ul>{''.join(causes)}</ul>")
    if (path / "results.parquet").exists():
        rows.append(_head(path / "results.parquet"))
    return f"<div>{''.join(rows)}<code>{escape(str(path))}</code></div>"


def _bar(parts: Iterable[tuple[str, int]], total: int) -> str:
    filled = "".join(PART.format(colour=colour, share=100 * number / total) for colour, number in parts)
    return f'<div style="{BAR}">{filled}</div>'


def _head(table: Path) -> str:
    """Return the first rows of a table, without its bookkeeping."""
    import polars as pl

    frame = pl.scan_parquet(table)
    names = frame.collect_schema().names()
    shown = frame.select([name for name in names if not name.startswith("ph_")]).head(ROWS).collect()
    return table_html(shown)


def table_html(frame: pl.DataFrame) -> str:
    """Return a frame as an HTML table."""
    head = "".join(f"<th>{escape(name)}</th>" for name in frame.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape('' if cell is None else str(cell))}</td>" for cell in row) + "</tr>"
        for row in frame.iter_rows()
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def study_html(sentence: str, text: str) -> str:
    """Return a study as HTML: its size, and its study file."""
    return f"<div>{escape(sentence)}<pre>{escape(text)}</pre></div>"
