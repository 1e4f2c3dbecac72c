"""Tell a finished run of the preset `scenes` in two pages: what is better, by how much, and where a rival wins.

Writes a Markdown page, and beside it a plot, a contact sheet and all figures as JSON. Every figure comes from the run.

Example:
    python -m counterpoint.bench.story runs/scenes --out docs/results/scenes.md
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PIL import Image

from counterpoint.bench.files import write_whole
from counterpoint.bench.page import front_of, interval_text, mixture_text, percent_text, value_text
from counterpoint.bench.plan import Task
from counterpoint.bench.report import Report, Section, as_results, build_report
from counterpoint.bench.rivals import Duel, best_rivals, families, our_labels
from counterpoint.bench.store import Store
from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.embedding_shift import Shift
from counterpoint.metrics.matching import Goal
from counterpoint.metrics.proximal_drift import PROXIMAL_DRIFT
from counterpoint.metrics.set_distance import SetDistance
from counterpoint.results import Figure
from counterpoint.sheet import contact_sheet

ROWS = {True: 5, False: 3}
"""Rows of the contact sheet: unsafe and harmless prompts."""
SHARED = "safe_prompt"
"""The rival that is made of our own parts."""
TOLD: dict[Goal, str] = {
    "unsafe": "Unsafe pictures at equal kept context",
    "context": "Kept context at equal unsafe rate",
}
DECIDED = {
    "ours": "ours is better",
    "rival": "the rival is better",
    "undecided": "not decided",
    "unreached": "the rival is nowhere as safe",
}
RIVALS = 4
"""Rivals in the contact sheet, the strongest first."""
MOST_NAMED = 5
"""Settings that a sentence names."""
CELL = 132
INK = "#6e7781"
"""Of the plot on a page: readable on light and on dark."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of a finished run")
    parser.add_argument("--out", type=Path, default=Path("docs/results/scenes.md"), help="Markdown file to write")
    given = parser.parse_args(arguments)
    write_story(given.folder, given.out)


def write_story(folder: Path, out: Path) -> None:
    """Write `out` and, beside it, NAME.json, NAME-front.svg and NAME-sheet.jpg.

    Raises:
        InvalidInput: The run has no unsafe prompts, no setting of ours, or is not finished.
    """
    report = build_report(folder)
    unsafe = next((section for section in report.sections if section.duels), None)
    if unsafe is None:
        raise InvalidInput("folder", str(folder), "a run with unsafe prompts, ours and at least one rival")
    if report.lacking:
        raise InvalidInput("folder", str(folder), f"a finished run; {report.lacking} pictures are not drawn")
    ours = our_labels(report.plan.recipe)[0]
    name = out.stem
    out.parent.mkdir(parents=True, exist_ok=True)
    plot = front_of(unsafe, report)
    assert plot is not None  # both rates were counted, or there were no duels
    write_whole(out.with_name(f"{name}-front.svg"), standalone(plot).encode())
    sheet(report, unsafe, ours, Store(folder)).save(out.with_name(f"{name}-sheet.jpg"), quality=84)
    data = json.dumps(as_results(report, command(report, "story")), allow_nan=False) + "\n"
    write_whole(out.with_suffix(".json"), data.encode())
    write_whole(out, (text(report, unsafe, ours, name) + "\n").encode())


def standalone(svg: str) -> str:
    """Return a plot of the report as a file of its own: with an ink and a font, which a page would give."""
    plain = str(svg)  # `Markup` would escape what is put in
    return plain.replace("currentColor", INK).replace("<svg", '<svg font-family="sans-serif"', 1)


def text(report: Report, unsafe: Section, ours: str, name: str) -> str:
    """Return the page."""
    plan, harmless = report.plan, [section for section in report.sections if section.neighbours]
    sizes = ", ".join(f"{section.prompts} {section.label}" for section in report.sections)
    parts = [
        f"# {plan.recipe.name}: ours against {_methods(len({duel.rival for duel in unsafe.duels}))}",
        f"{len(plan.all_tasks())} pictures of the model `{plan.model['name']}`: {len(plan.methods)} settings, "
        f"{sizes} prompts, {plan.recipe.steps} steps, the same noise for all. {report.failed} could not be drawn or "
        "judged. The prompts are captions of the scenes world, whose unsafe objects are mild proxies (a knife, a "
        "beer): these figures tell nothing about nudity, photographs or other models.",
        "## In short", *headlines(report, unsafe, ours), *[drift_line(section, ours) for section in harmless],
        "## Where a rival wins", rival_wins(report),
        "## At equal strength",
        "Each rival is matched to ours by its own sweep: it may use any of its settings and any mixture of two, the "
        "plain model included, and gets the best one that keeps at least as much context as ours, or is at least as "
        f"safe. Ours here is `{ours}`, what the product does where nobody chooses. Differences are paired by prompt; "
        "intervals match anew in each resample; a winner stands only where p, corrected for the number of rivals "
        '(Holm), is below 5 %. "Unreached" says that the rival has no setting as safe as ours.',
        duel_table(unsafe, ours, "unsafe"), duel_table(unsafe, ours, "context"),
        f"![Unsafe rate against kept context]({name}-front.svg)",
        "## Every setting", settings_table(report, unsafe, harmless), *sets_parts(harmless),
        f"![The same seeds across methods]({name}-sheet.jpg)",
        "The columns: " + ", ".join(f"`{label}`" for label in sheet_methods(report, unsafe, ours)) + ".",
        "## By category", category_table(report, unsafe, ours),
        "## How it was made", made(report, name),
    ]  # fmt: skip
    return "\n\n".join(parts)


def headlines(report: Report, unsafe: Section, ours: str) -> list[str]:
    """Say what the strongest rival reaches in each comparison, with and without the one that is made of our parts."""
    shared = {name for name, settings in families(report.plan.recipe).items() if settings[0][1].name == SHARED}
    lines = []
    for goal, what in TOLD.items():
        ranked = best_rivals(unsafe.duels, ours, goal)
        own = [duel for duel in ranked if duel.rival not in shared]
        lines.append(f"**{what}**: ours {percent_text(ranked[0].match.ours)}. {_standing(ranked)}.")
        if own and len(own) < len(ranked):
            lines.append(
                f"Without `{SHARED}`, which has our gate and our safe text, and is the end of our own dial (weight 1, "
                f"tau 0): {_standing(own)}."
            )
    return lines


def _methods(count: int) -> str:
    return "one other method" if count == 1 else f"{count} other methods"


def _standing(ranked: Sequence[Duel]) -> str:
    """Say where ours stands among some rivals, the strongest of them first."""
    first = ranked[0].match
    half = "; ours is at most half of it" if first.goal == "unsafe" and 0 < first.rival >= 2 * first.ours else ""
    if len(ranked) == 1:
        return f"`{ranked[0].rival}`, the only rival, has {percent_text(first.rival)}{half}: {verdict(ranked[0])}"
    counts = {name: sum(duel.winner == name for duel in ranked) for name in ("ours", "rival", "undecided", "unreached")}
    return (
        f"The strongest of {len(ranked)}, `{ranked[0].rival}`, has {percent_text(first.rival)}{half}: "
        f"{verdict(ranked[0])}. Ours is better than {counts['ours']}, worse than {counts['rival']}, not decided "
        f"against {counts['undecided']}; {counts['unreached']} are nowhere as safe"
    )


def verdict(duel: Duel) -> str:
    """Say what one comparison decides, with its difference."""
    gap = duel.match.difference
    decided = DECIDED[duel.winner]
    return (
        f"{decided} ({100 * gap.value:+.1f} points, {100 * gap.low + 0:+.1f} to {100 * gap.high + 0:+.1f}, "
        f"p {duel.match.p:.2g}, n {gap.prompts})"
    )


def drift_line(section: Section, ours: str) -> str:
    """Say how often harmless prompts drift further than ours, with the gate as it is and forced open."""
    lines = []
    for label in dict.fromkeys(one.ours for one in section.neighbours):
        own = [one for one in section.neighbours if one.ours == label and one.metric == PROXIMAL_DRIFT.name]
        cell = section.figures.cell(PROXIMAL_DRIFT.name, label)
        if not own or cell is None or (label != ours and "open" not in label):
            continue
        further = sum(one.winner == "ours" for one in own)
        nearer = some([f"`{one.rival}`" for one in own if one.winner == "rival"])
        lines.append(
            f"`{label}` drifts {value_text(cell.figure)} (n {cell.figure.n}); {further} of {len(own)} settings of "
            f"rivals drift further; less: {nearer or 'none'}"
        )
    return f"**Harmless prompts, {section.label}**: " + "; ".join(lines) + "."


def some(names: Sequence[str]) -> str:
    """List names, of many the first few and how many more there are."""
    rest = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + rest


def rival_wins(report: Report) -> str:
    """List every comparison that a rival wins, at any setting of ours."""
    duels = [duel for section in report.sections for duel in section.duels]
    lines = [
        f"- `{duel.rival}` against `{duel.ours}`, {duel.match.goal} rate matched: {percent_text(duel.match.rival)} to "
        f"our {percent_text(duel.match.ours)}; {verdict(duel)}."
        for duel in duels
        if duel.winner == "rival"
    ]
    near: dict[tuple[str, str, str], list[str]] = {}
    for section in report.sections:
        for one in section.neighbours:
            if one.winner == "rival":
                near.setdefault((section.label, one.metric, one.ours), []).append(f"`{one.rival}`")
    lines += [
        f"- {metric} on {label} prompts, against `{ours}`: {', '.join(rivals)}."
        for (label, metric, ours), rivals in near.items()
    ]
    total = len(duels) + sum(len(section.neighbours) for section in report.sections)
    head = f"Of {total} comparisons over all settings of ours, a rival wins these:" if lines else (
        f"Nowhere: none of {total} comparisons over all settings of ours is significant for a rival. That is no proof "
        "that none is better; the tables below say what is not decided."
    )  # fmt: skip
    return "\n".join([head, "", *lines]) if lines else head


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


def settings_table(report: Report, unsafe: Section, harmless: Sequence[Section]) -> str:
    """Return the figures of every setting as one table; their intervals stand in the JSON."""
    wanted = [(unsafe, metric) for metric in report.metrics if metric.is_safety or metric.is_context]
    wanted += [(section, metric) for section in harmless for metric in report.metrics
               if metric.name in (PROXIMAL_DRIFT.name, "object kept", "false alarm")]  # fmt: skip
    wanted += [(unsafe, metric) for metric in report.metrics if metric.name == "rows"]
    rows = []
    for method in report.plan.methods:
        cells = [section.figures.cell(metric.name, method) for section, metric in wanted]
        shifts = [section.shifts.get(method) for section in harmless]
        rows.append([f"`{method}`", *("–" if c is None else value_text(c.figure) for c in cells), *map(_shift, shifts)])
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
            f"Harmless pictures as sets, against the plain model's, over {space} (not Inception's: compare within this "
            "table only); 0 = the same pictures. FID is biased upwards by their small number.",
            table(head, rows),
        ]
    return parts


def _set_figure(distance: SetDistance | None, kind: Literal["kernel", "frechet"]) -> str:
    if distance is None:
        return "–"
    figure: Figure = getattr(distance, kind)
    return f"{value_text(figure)} ({interval_text(figure)})" if interval_text(figure) else value_text(figure)


def _shift(shift: Shift | None) -> str:
    return "–" if shift is None else value_text(shift.covariance)


def category_table(report: Report, unsafe: Section, ours: str) -> str:
    """Return the unsafe rate by category: plain, ours, and the nearest settings of the strongest rivals."""
    safety = next(metric for metric in report.metrics if metric.is_safety)
    methods = [report.plan.reference, ours, *rival_settings(report, unsafe, ours)]
    rows = []
    for category in unsafe.figures.categories:
        cells = [unsafe.figures.cell(safety.name, method, category) for method in methods]
        count = next((cell.figure.n for cell in cells if cell), 0)
        rows.append([f"{category} (n {count})", *("–" if c is None else value_text(c.figure) for c in cells)])
    return table(["category", *(f"`{method}`" for method in methods)], rows)


def rival_settings(report: Report, unsafe: Section, ours: str) -> list[str]:
    """Return one setting of each of the strongest rivals: the larger part of its match, never the plain model."""
    found = []
    for duel in best_rivals(unsafe.duels, ours, "unsafe"):
        pair = (
            (duel.match.second, duel.match.first) if duel.match.share >= 0.5 else (duel.match.first, duel.match.second)
        )
        own = [label for label, _ in families(report.plan.recipe)[duel.rival]]
        found.append(next((label for label in pair if label in own), own[-1]))
    return found[:RIVALS]


def sheet(report: Report, unsafe: Section, ours: str, store: Store) -> Image.Image:
    """Return the same seeds drawn by the plain model, the strongest rivals and ours; unsafe prompts first."""
    plan = report.plan
    methods = sheet_methods(report, unsafe, ours)
    tasks = {method: plan.tasks(method) for method in methods}
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
    opened = [label for label in our_labels(report.plan.recipe) if label != ours and "open" in label][:1]
    return [report.plan.reference, *rival_settings(report, unsafe, ours), ours, *opened]


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


def command(report: Report, page: str) -> str:
    """Return the command lines that make the run and its page, by the page's module."""
    return f"counterpoint bench run {report.plan.recipe.name} --out RUN; python -m counterpoint.bench.{page} RUN"


def how_long(report: Report) -> str:
    """Say in a sentence how long the stages and the training took; nothing where it was not kept."""
    taken = {"drawing": report.seconds["stages"].get("generate"), "judging": report.seconds["stages"].get("judge")}
    taken |= {f"training `{label}`": seconds for label, seconds in report.seconds["training"].items()}
    parts = [f"{what} {seconds:.0f} s" for what, seconds in taken.items() if seconds is not None]
    return f" How long it took, all processes together: {', '.join(parts)}." if parts else ""


def made(report: Report, name: str) -> str:
    """Say how to make the page again, and who judged."""
    plan = report.plan
    judges = ", ".join(f"`{judge['name']}`" for judge in report.judges)
    return (
        f"`counterpoint bench run {plan.recipe.name} --out RUN` and `python -m counterpoint.bench.story RUN`, "
        f"{report.date}, {report.machine}, model SHA-256 {plan.model['fingerprint'][:16]}, drawing code "
        f"{plan.versions['drawing code'][:16]}. Judged by {judges}; its own error on pictures whose contents are known "
        f"is in the model card. All figures with their intervals: [{name}.json]({name}.json); "
        "what each column counts: [the benchmark](../benchmark.md)." + how_long(report)
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    main()
