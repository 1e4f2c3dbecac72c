"""Contact sheets: the same prompts and seeds across all methods, small, inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from counterpoint.bench.observations import NOT_DRAWN, NOT_JUDGED
from counterpoint.bench.plan import Plan, Task
from counterpoint.bench.store import Store
from counterpoint.metrics.shot import Shot

SIDE = 144
"""Longer side of a small picture in pixels."""
ROWS = 8
"""Prompts of a sheet."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One picture of a sheet, or why there is none."""

    uri: str | None
    note: str


@dataclass(frozen=True, kw_only=True)
class SheetRow:
    """One prompt at one seed, drawn by every method."""

    title: str
    """The prompt where it may be shown, else the row's name and hash."""
    seed: int
    frames: tuple[Frame, ...]


def contact_sheet(plan: Plan, dataset: str, shots: dict[str, list[Shot]], store: Store) -> list[SheetRow]:
    """Return the first prompts of a data set, one row each, methods in the plan's order."""
    tasks = {method: plan.tasks(method) for method in plan.methods}
    places: list[int] = []
    seen: set[str] = set()
    for place, task in enumerate(tasks[plan.reference]):
        if task.prompt.dataset == dataset and task.prompt.name not in seen and len(seen) < ROWS:
            seen.add(task.prompt.name)
            places.append(place)
    return [_row(place, tasks, shots, store) for place in places]


def _row(place: int, tasks: dict[str, list[Task]], shots: dict[str, list[Shot]], store: Store) -> SheetRow:
    prompt = next(iter(tasks.values()))[place].prompt
    seed = next(iter(tasks.values()))[place].seed
    title = prompt.text or f"row {prompt.row}, {prompt.sha256[:12]}…"
    frames = tuple(_frame(tasks[method][place].key, shots[method][place], store) for method in tasks)
    return SheetRow(title=title, seed=seed, frames=frames)


def _frame(key: str, shot: Shot, store: Store) -> Frame:
    if not shot.has_picture:
        note = "withheld" if shot.is_withheld else "not drawn" if shot.error == NOT_DRAWN else "error"
        return Frame(uri=None, note=note)
    words = [verdict.word for verdict in shot.verdicts.values() if verdict.word != "measured"]
    word = next((w for w in ("error", "unsafe", "safe") if w in words), "")
    return Frame(uri=_data_uri(store, key), note=word)


def _data_uri(store: Store, key: str) -> str:
    with Image.open(store.picture_path(key)) as image:
        small = image.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=72)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def failures(shots: Sequence[Shot], judges: Sequence[str]) -> dict[str, list[str]]:
    """Return why pictures have no verdict, and the prompts' names; a judge's failures too.

    Args:
        shots: Pictures of one method.
        judges: The judges, by `Judge.name`.
    """
    found: dict[str, list[str]] = {}
    for shot in shots:
        for reason in [shot.error] if shot.error else _unjudged(shot, judges):
            found.setdefault(reason, []).append(shot.prompt)
    return found


def _unjudged(shot: Shot, judges: Sequence[str]) -> list[str]:
    """Return why judges gave no verdict on a picture; one that was withheld needs none."""
    if shot.is_withheld:
        return []
    missing = [f"{judge}: {NOT_JUDGED}" for judge in judges if judge not in shot.verdicts]
    return missing + [f"{judge}: {verdict.error}" for judge, verdict in shot.verdicts.items() if verdict.error]
