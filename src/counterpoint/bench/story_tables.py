"""The tables of a run's page, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from counterpoint.bench.page import interval_text, mixture_text, percent_text, value_text
from counterpoint.bench.report import Report, Section
from counterpoint.bench.rivals import best_rivals
from counterpoint.metrics.embedding_shift import Shift
from counterpoint.metrics.matching import Goal
from counterpoint.metrics.proximal_drift import PROXIMAL_DRIFT
from counterpoint.metrics.set_distance import SetDistance
from counterpoint.metrics.shot import Metric
from counterpoint.results import Figure

MISSING = "–"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def cell_text(section: Section, metric: str, method: str, category: str | None = None) -> str:
    """Return one figure of a data set without its interval."""
    cell = section.figures.cell(metric, method, category)
    return MISSING if cell is None else value_text(cell.figure)


def duel_table(unsafe: Section, ours: str, goal: Goal) -> str:
    """Return one comparison with all rivals."""
    title = "unsafe pictures at equal kept context" if goal == "unsafe" else "context kept at equal unsafe rate"
    ranked = best_rivals(unsafe.duels, ours, goal)
    rows = [
        [f"`{d.rival}`", mixture_text(d), percent_text(d.match.rival), f"{100 * d.match.difference.value:+.1f}",
         f"{100 * d.match.difference.low + 0:+.1f} to {100 * d.match.difference.high + 0:+.1f}",
         f"{d.match.p:.2g}", d.winner]
        for d in ranked
    ]  # fmt: skip
    head = ["rival", "matched setting", title, f"ours ({percent_text(ranked[0].match.ours)}) less it", "95 %", "p",
            "better"]  # fmt: skip
    return table(head, rows)


def category_table(unsafe: Section, safety: Metric, methods: Sequence[str]) -> str:
    """Return the unsafe rate by category, a row a method; n stands in the head."""
    categories = unsafe.figures.categories
    head = ["setting", "all", *(f"{category} (n {_count(unsafe, safety, category)})" for category in categories)]
    rows = [
        [f"`{method}`", *(cell_text(unsafe, safety.name, method, category) for category in (None, *categories))]
        for method in methods
    ]
    return table(head, rows)


def _count(unsafe: Section, safety: Metric, category: str) -> int:
    cells = [unsafe.figures.cell(safety.name, method, category) for method in unsafe.shots]
    return next((cell.figure.n for cell in cells if cell), 0)


def neighbours_table(harmless: Sequence[Section], methods: Sequence[str]) -> str:
    """Return what each method does to harmless pictures, and to the embeddings that the denoiser reads."""
    metrics = {"object kept": "object kept", PROXIMAL_DRIFT.name: "drift", "false alarm": "acted on"}
    head = ["setting", *(f"{title}, {section.label}" for section in harmless for title in metrics.values())]
    head += [f"{which} shift, {section.label}" for section in harmless for which in ("mean", "covariance")]
    rows = []
    for method in methods:
        cells = [cell_text(section, name, method) for section in harmless for name in metrics]
        shifts = [section.shifts.get(method) for section in harmless]
        rows.append([f"`{method}`", *cells, *(_shift(shift, which) for shift in shifts for which in ("mean", "cov"))])
    return table(head, rows)


def dial_table(unsafe: Section, metrics: Sequence[Metric], methods: Sequence[str]) -> str:
    """Return our settings, from none to all: unsafe rate, kept context and cost."""
    wanted = [metric for metric in metrics if metric.is_safety or metric.is_context or metric.name == "rows"]
    rows = [[f"`{method}`", *(_with_interval(unsafe, metric.name, method) for metric in wanted)] for method in methods]
    return table(["setting", *(metric.title for metric in wanted)], rows)


def settings_table(report: Report, unsafe: Section, harmless: Sequence[Section]) -> str:
    """Return the figures of every setting as one table; their intervals stand in the JSON."""
    wanted = [(unsafe, metric) for metric in report.metrics if metric.is_safety or metric.is_context]
    wanted += [(section, metric) for section in harmless for metric in report.metrics
               if metric.name in (PROXIMAL_DRIFT.name, "object kept", "false alarm")]  # fmt: skip
    wanted += [(unsafe, metric) for metric in report.metrics if metric.name in ("rows", "peak memory")]
    rows = []
    for method in report.plan.methods:
        cells = [cell_text(section, metric.name, method) for section, metric in wanted]
        shifts = [section.shifts.get(method) for section in harmless]
        rows.append([f"`{method}`", *cells, *(_shift(shift, "cov") for shift in shifts)])
    head = ["setting", *(f"{metric.title}, {section.label}" for section, metric in wanted),
            *(f"covariance shift, {section.label}" for section in harmless)]  # fmt: skip
    return table(head, rows)


def sets_parts(sections: Sequence[Section]) -> list[str]:
    """Return a table for each feature space that the recipe asks for; nothing where it asks for none."""
    parts = []
    for space in dict.fromkeys(space for section in sections for space in section.sets):
        found = [(section.label, section.sets[space]) for section in sections if space in section.sets]
        head = ["setting", *(f"{name} over {space}, {label}" for label, _ in found for name in ("KID", "FID"))]
        rows = [
            [f"`{method}`", *(_set_figure(by.get(method), kind) for _, by in found for kind in ("kernel", "frechet"))]
            for method in dict.fromkeys(method for _, by in found for method in by)
        ]
        parts += [
            f"Harmless pictures as sets, against the plain model's, over {space} (compare within this table only); 0 = "
            "the same pictures. FID is biased upwards by their small number.",
            table(head, rows),
        ]
    return parts


def _with_interval(section: Section, metric: str, method: str) -> str:
    cell = section.figures.cell(metric, method)
    return MISSING if cell is None else _and_interval(cell.figure)


def _set_figure(distance: SetDistance | None, kind: Literal["kernel", "frechet"]) -> str:
    return MISSING if distance is None else _and_interval(getattr(distance, kind))


def _and_interval(figure: Figure) -> str:
    interval = interval_text(figure)
    return f"{value_text(figure)} ({interval})" if interval else value_text(figure)


def _shift(shift: Shift | None, which: Literal["mean", "cov"]) -> str:
    return MISSING if shift is None else value_text(shift.mean if which == "mean" else shift.covariance)
