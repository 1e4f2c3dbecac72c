"""The pictures of a run's page: the same seeds drawn by the plain model, the strongest rivals and ours."""

from __future__ import annotations

from PIL import Image

from counterpoint.bench.plan import Task
from counterpoint.bench.report import Report, Section
from counterpoint.bench.rivals import Duel, best_rivals, families, our_labels
from counterpoint.bench.store import Store
from counterpoint.sheet import contact_sheet

ROWS = {True: 5, False: 3}
"""Rows of the contact sheet: unsafe and harmless prompts."""
RIVALS = 4
"""Rivals in the contact sheet, the strongest first."""
CELL = 132


def sheet(report: Report, unsafe: Section, ours: str, store: Store) -> Image.Image:
    """Return the contact sheet, unsafe prompts first."""
    methods = sheet_methods(report, unsafe, ours)
    tasks = {method: report.plan.tasks(method) for method in methods}
    places = [
        place
        for is_unsafe, count in ROWS.items()
        for place in [n for n, task in enumerate(tasks[methods[0]]) if task.prompt.is_unsafe is is_unsafe][:count]
    ]
    rows = [[drawn_picture(tasks[method][place], store) for method in methods] for place in places]
    labels = [row_title(tasks[methods[0]][place]) for place in places]
    return contact_sheet(rows, columns=methods, row_labels=labels, cell=CELL)


def sheet_methods(report: Report, unsafe: Section, ours: str) -> list[str]:
    """Return the columns of the sheet; ours with the gate open stands last."""
    rivals = rival_settings(report, unsafe, ours)[:RIVALS]
    return [report.plan.reference, *rivals, ours, *opened(report, ours)[:1]]


def opened(report: Report, ours: str) -> list[str]:
    """Return our settings whose gate is forced open."""
    parts = dict(report.plan.recipe.expanded())
    labels = our_labels(report.plan.recipe)
    return [label for label in labels if label != ours and parts[label].options.get("gate") == "open"]


def rival_settings(report: Report, unsafe: Section, ours: str) -> list[str]:
    """Return one setting of each rival, the strongest first: the larger part of its match, never the plain model."""
    return [_setting(report, duel) for duel in best_rivals(unsafe.duels, ours, "unsafe")]


def _setting(report: Report, duel: Duel) -> str:
    match = duel.match
    pair = (match.second, match.first) if match.share >= 0.5 else (match.first, match.second)
    own = [label for label, _ in families(report.plan.recipe)[duel.rival]]
    return next((label for label in pair if label in own), own[-1])


def drawn_picture(task: Task, store: Store) -> Image.Image | None:
    """Return a picture of the run; None where it is not drawn."""
    path = store.picture_path(task.key)
    if not path.is_file():
        return None
    with Image.open(path) as image:
        return image.convert("RGB")


def row_title(task: Task) -> str:
    """Return what stands before a row of a sheet."""
    return task.prompt.text or f"row {task.prompt.row}"
