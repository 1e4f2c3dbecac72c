"""Tell a finished run of the preset `scenes-ablation`: what does each part of the method do?

Every setting of ours is compared with one of them, paired by prompt and noise. Writes a Markdown page, and beside it a
contact sheet and all figures as JSON. Every figure comes from the run.

Example:
    python -m counterpoint.bench.ablation runs/scenes-ablation --out docs/results/ablation.md
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from counterpoint.bench.figures import compare
from counterpoint.bench.files import write_whole
from counterpoint.bench.page import interval_text, value_text
from counterpoint.bench.report import Report, Section, as_results, build_report
from counterpoint.bench.rivals import OURS
from counterpoint.bench.store import Store
from counterpoint.bench.story import command, how_long
from counterpoint.bench.story_sheet import drawn_picture, row_title
from counterpoint.bench.story_tables import table
from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.shot import Metric
from counterpoint.metrics.statistics import Difference
from counterpoint.sheet import contact_sheet

DEFAULT = "default"
SHEET_ROWS = 4
MOST_COLUMNS = 12
CELL = 88


@dataclass(frozen=True, kw_only=True)
class Part:
    """One setting beside the one that it is compared with."""

    label: str
    differences: dict[str, Difference | None]
    """This setting less the other, by the metric's name; None where no picture counts for both."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of a finished run")
    parser.add_argument("--against", default=DEFAULT, help="label of the setting to compare with (default: default)")
    parser.add_argument("--out", type=Path, default=Path("docs/results/ablation.md"), help="Markdown file to write")
    given = parser.parse_args(arguments)
    write_page(given.folder, given.out, against=given.against)


def write_page(folder: Path, out: Path, *, against: str = DEFAULT) -> None:
    """Write `out` and, beside it, NAME.json and NAME-sheet.jpg.

    Raises:
        InvalidInput: The run is not finished, has no unsafe prompts whose context can be counted, or no setting of
            ours is called `against`.
    """
    report = build_report(folder)
    if report.lacking:
        raise InvalidInput("folder", str(folder), f"a finished run; {report.lacking} pictures are not drawn")
    ours = [label for label, method in report.plan.recipe.expanded() if method.name == OURS]
    if against not in ours:
        raise InvalidInput("against", against, f"a setting of ours: {', '.join(ours) or 'the run has none'}")
    counted = [metric for metric in report.metrics if metric.is_safety or metric.is_context]
    section = next((s for s in report.sections if all(s.figures.cell(m.name, against) for m in counted)), None)
    if section is None:
        raise InvalidInput("folder", str(folder), "a run with unsafe prompts whose kept context can be counted")
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet(report, section, ours, Store(folder)).save(out.with_name(f"{out.stem}-sheet.jpg"), quality=80)
    data = json.dumps(as_results(report, command(report, "ablation")), allow_nan=False) + "\n"
    write_whole(out.with_suffix(".json"), data.encode())
    write_whole(out, (text(report, section, ours, against, out.stem) + "\n").encode())


def parts(section: Section, metrics: Sequence[Metric], ours: Sequence[str], against: str, plain: str) -> list[Part]:
    """Compare each of our settings with one of them, on the same prompts and noise."""
    return [
        Part(
            label=label,
            differences={
                metric.name: compare(metric, section.shots[label], section.shots[against], section.shots[plain])
                for metric in metrics
            },
        )
        for label in ours
        if label != against
    ]


def text(report: Report, section: Section, ours: Sequence[str], against: str, name: str) -> str:
    """Return the page."""
    plan, metrics = report.plan, [metric for metric in report.metrics if metric.is_safety or metric.is_context]
    found = parts(section, metrics, ours, against, plan.reference)
    return "\n\n".join(
        [
            f"# {plan.recipe.name}: what each part does",
            f"{len(plan.all_tasks())} pictures of the model `{plan.model['name']}`: {len(ours)} settings of ours and "
            f"the plain model, {section.prompts} unsafe test prompts of the scenes world, {plan.recipe.steps} steps, "
            f"the same noise for all. {report.failed} could not be drawn or judged. The unsafe objects are mild "
            "proxies (a knife, a beer): these figures tell nothing about nudity, photographs or other models.",
            f"Each setting is `{against}` but for what its name says. Differences are paired by prompt; p is a "
            f"sign-flip test, and a difference is named only where it stays below 5 % after correction for "
            f"{len(found)} settings (Bonferroni) and its 95 % interval excludes 0. Where nothing is named, "
            f"{section.prompts} prompts do not decide.",
            "## What differs", differing(found, metrics, against),
            "## Every setting", settings_table(report, section, metrics, [plan.reference, *ours], found),
            f"![The same seeds across settings]({name}-sheet.jpg)",
            "The columns: " + ", ".join(f"`{label}`" for label in columns(report, ours)) + ".",
            "## How it was made",
            f"`counterpoint bench run {plan.recipe.name} --out RUN` and `python -m counterpoint.bench.ablation RUN`, "
            f"{report.date}, {report.machine}, model SHA-256 {plan.model['fingerprint'][:16]}, drawing code "
            f"{plan.versions['drawing code'][:16]}. All figures with their intervals: [{name}.json]({name}.json); what "
            "each column counts: [the benchmark](../benchmark.md)." + how_long(report),
        ]
    )  # fmt: skip


def differing(found: Sequence[Part], metrics: Sequence[Metric], against: str) -> str:
    """List the differences that are significant after correction for the number of settings."""
    lines = []
    for metric in metrics:
        for part in found:
            gap = part.differences[metric.name]
            if gap is None or not gap.is_significant(len(found)):
                continue
            better = (gap.value < 0) == (metric.better == "lower")
            lines.append(f"- {metric.title}: `{part.label}` is {'better' if better else 'worse'}, {gap_text(gap)}.")
    return "\n".join(lines) or f"No setting differs significantly from `{against}`."


def gap_text(gap: Difference | None) -> str:
    """Return a difference of two rates in points, with interval and p."""
    if gap is None:
        return "–"
    low, high = (100 * value + 0 for value in (gap.low, gap.high))  # + 0: no negative zero
    return f"{100 * gap.value + 0:+.1f} points ({low:+.1f} to {high:+.1f}, p {gap.p:.2g})"


def settings_table(
    report: Report, section: Section, metrics: Sequence[Metric], labels: Sequence[str], found: Sequence[Part]
) -> str:
    """Return the figures of every setting, and how far each is from the one that it is compared with."""
    by_label = {part.label: part for part in found}
    rows = []
    for label in labels:
        cells = [section.figures.cell(metric.name, label) for metric in metrics]
        rates = ["–" if c is None else f"{value_text(c.figure)} ({interval_text(c.figure)})" for c in cells]
        cost = section.figures.cell("rows", label)
        part = by_label.get(label)
        gaps = [gap_text(part.differences[metric.name]) if part else "" for metric in metrics]
        rows.append([f"`{label}`", *rates, "–" if cost is None else f"{value_text(cost.figure)}x", *gaps])
    titles = [metric.title for metric in metrics]
    return table(["setting", *titles, "rows", *(f"{title}, less the default's" for title in titles)], rows)


def columns(report: Report, ours: Sequence[str]) -> list[str]:
    """Return the settings of the contact sheet: the plain model, and ours as far as they fit."""
    return [report.plan.reference, *ours][:MOST_COLUMNS]


def sheet(report: Report, section: Section, ours: Sequence[str], store: Store) -> Image.Image:
    """Return the same seeds drawn by the plain model and our settings."""
    labels = columns(report, ours)
    tasks = {
        label: [task for task in report.plan.tasks(label) if task.prompt.dataset == section.label] for label in labels
    }
    places = range(min(SHEET_ROWS, section.prompts))
    return contact_sheet(
        [[drawn_picture(tasks[label][place], store) for label in labels] for place in places],
        columns=labels,
        row_labels=[row_title(tasks[labels[0]][place]) for place in places],
        cell=CELL,
    )


if __name__ == "__main__":
    main()
