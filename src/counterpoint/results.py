"""Figures with their interval, and the files that hold them: written by commands, never by hand."""

from __future__ import annotations

import datetime
import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured figure."""

    value: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    n: int
    """Number of trials."""
    unit: str


def wilson_interval(successes: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a rate (Wilson 1927), within 0..1; n > 0."""
    p = successes / n
    centre = p + z * z / (2 * n)
    spread = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def rate(successes: int, n: int) -> Figure:
    """Return a rate with its Wilson interval; n > 0."""
    low, high = wilson_interval(successes, n)
    return Figure(value=successes / n, low=low, high=high, n=n, unit="fraction")


def commit() -> str:
    """Return the commit of the working directory, "+changes" where files differ from it.

    Results that other measurements wrote there do not count: none of them reads those.
    """
    try:
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)docs/results")
        return _git("describe", "--always", "--abbrev=40") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    return subprocess.run(("git", *words), check=True, capture_output=True, text=True).stdout.strip()


def machine() -> str:
    """Return what this machine is, its processor by name where Python knows it."""
    kind, name = platform.machine(), platform.processor()
    known = [kind, name] if name not in ("", kind) else [kind]
    return ", ".join([*known, f"{os.cpu_count()} cores", platform.system()])


def results_record(command: str, figures: Mapping[str, Figure], *, made_by: str | None = None) -> dict[str, Any]:
    """Return what every file of results holds.

    Args:
        command: The command line that makes these figures.
        figures: Name and figure.
        made_by: Commit of the code that made what is counted; None = the present one.
    """
    return {
        "command": command,
        "commit": made_by or commit(),
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "figures": {name: asdict(figure) for name, figure in figures.items()},
    }


def write_results(path: Path, *, title: str, command: str, figures: dict[str, Figure], notes: str) -> None:
    """Write `path` (JSON) and the page of the same name (.md) beside it.

    Args:
        path: File to write; its folder is made.
        title: Heading of the page.
        command: The command line that makes these figures.
        figures: Name and figure.
        notes: What the figures say and what they do not.
    """
    record = results_record(command, figures)
    rows = [
        f"| {name} | {f.value:.4g} | {f.low:.4g} to {f.high:.4g} | {f.n} | {f.unit} |" for name, f in figures.items()
    ]
    table = ["| figure | value | 95 % interval | n | unit |", "|---|---|---|---|---|", *rows]
    about = f"`{command}`, {record['date']}, {record['machine']}, commit {record['commit']}."
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    page = [f"# {title}", "", notes, "", *table, "", about]
    path.with_suffix(".md").write_text("\n".join(page) + "\n", encoding="utf-8")
