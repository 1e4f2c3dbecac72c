"""Tell a finished run of the preset `scenes`: the paper's findings one by one, and where a rival wins.

Writes a Markdown page, its tables of all settings as a second page, and beside them a plot, a contact sheet and all
figures as JSON. Every figure comes from the run.

Example:
    python -m counterpoint.bench.story runs/scenes --out docs/results/scenes.md
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from counterpoint.bench.files import write_whole
from counterpoint.bench.page import front_of, percent_text, value_text
from counterpoint.bench.report import Report, Section, as_results, build_report
from counterpoint.bench.rivals import Duel, best_rivals, families, our_labels
from counterpoint.bench.store import Store
from counterpoint.bench.story_sheet import opened, rival_settings, sheet, sheet_methods
from counterpoint.bench.story_tables import (
    category_table,
    dial_table,
    duel_table,
    neighbours_table,
    sets_parts,
    settings_table,
)
from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.matching import Goal
from counterpoint.metrics.proximal_drift import PROXIMAL_DRIFT
from counterpoint.metrics.scenes_judge import ScenesJudge

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
BESIDE = {
    "ablation": "what tau, coupling, weight, ramp and the safe embedding do",
    "attack": "other words, other spellings and a white-box search for tokens, against gate and method",
    "streams": "ours against its own gate and safe text without the two streams",
    "advunlearn": "adversarial training of the text encoder beside ESD and ours",
}
"""Pages of other runs that tell the rest, where they lie in the same folder."""
MOST_NAMED = 5
"""Settings that a sentence names."""
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
    """Write `out` and, beside it, NAME-tables.md, NAME.json, NAME-front.svg and NAME-sheet.jpg.

    Raises:
        InvalidInput: The run has no unsafe prompts, no setting of ours, or is not finished.
    """
    report = build_report(folder)
    unsafe = next((section for section in report.sections if section.duels), None)
    if not any(judge["name"] == ScenesJudge.name for judge in report.judges):
        raise InvalidInput("folder", str(folder), "a run on the scenes world, judged by its judge; see report.html")
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
    write_whole(out.with_name(f"{name}-tables.md"), (tables(report, unsafe, name) + "\n").encode())
    parts = [text(report, unsafe, ours, name), beside(out), "## How it was made", made(report, name)]
    write_whole(out, ("\n\n".join(part for part in parts if part) + "\n").encode())


def beside(out: Path) -> str:
    """Link the pages of other runs that lie beside this one; nothing where there are none."""
    links = [
        f"- [{name}]({name}.md): {what}." for name, what in BESIDE.items()
        if name != out.stem and out.with_name(f"{name}.md").is_file()
    ]  # fmt: skip
    return "\n".join(["## Told on other pages", "", *links]) if links else ""


def standalone(svg: str) -> str:
    """Return a plot of the report as a file of its own: with an ink and a font, which a page would give."""
    plain = str(svg)  # `Markup` would escape what is put in
    return plain.replace("currentColor", INK).replace("<svg", '<svg font-family="sans-serif"', 1)


def text(report: Report, unsafe: Section, ours: str, name: str) -> str:
    """Return what the run tells."""
    plan, harmless = report.plan, [section for section in report.sections if section.neighbours]
    parts = [
        f"# {plan.recipe.name}: ours against {_methods(len({duel.rival for duel in unsafe.duels}))}",
        about(report),
        "## In short", *headlines(report, unsafe, ours),
        *[drift_line(section, [ours, *opened(report, ours)]) for section in harmless],
        f"![The same seeds across methods]({name}-sheet.jpg)",
        "The columns: " + ", ".join(f"`{label}`" for label in sheet_methods(report, unsafe, ours)) + ".",
        *findings(report, unsafe, harmless, ours, name),
        "## Where a rival wins", rival_wins(report),
    ]  # fmt: skip
    return "\n\n".join(parts)


def about(report: Report) -> str:
    """Say what was drawn, and what it tells nothing about."""
    plan = report.plan
    sizes = ", ".join(f"{section.prompts} {section.label}" for section in report.sections)
    return (
        f"{len(plan.all_tasks())} pictures of the model `{plan.model['name']}`: {len(plan.methods)} settings, "
        f"{sizes} prompts, {plan.recipe.steps} steps, the same noise for all. {report.failed} could not be drawn or "
        "judged. The prompts are captions of the scenes world, whose unsafe objects are mild proxies (a knife, a "
        "beer): these figures tell nothing about nudity, photographs or other models."
    )


def findings(report: Report, unsafe: Section, harmless: Sequence[Section], ours: str, name: str) -> list[str]:
    """Return the paper's findings, as this run has them; what it holds nothing on is left out."""
    reference, rivals = report.plan.reference, rival_settings(report, unsafe, ours)
    safety = next(metric for metric in report.metrics if metric.is_safety)
    found = [
        "## Unsafe pictures, by category",
        "Each rival at the setting that is matched to ours at equal kept context, the strongest first. Where a match "
        "mixes two settings, this is its larger part that is not the plain model, by itself: its rate is not the "
        "match's.",
        category_table(unsafe, safety, [reference, ours, *rivals]),
    ]
    if harmless:
        found += [
            "## Neighbours, and second-order statistics",
            "Harmless prompts: is the object still there, how far is the picture from the plain one (root mean square, "
            "0..1), and how many prompts did the method act on at all: a method without a gate acts on every one. The "
            "shifts are of what cross-attention makes of the words, against the plain model's: editing the text "
            "encoder or those maps moves them; edits elsewhere (`esd-u`) and methods that change no weight are at 0 "
            "there by construction, whatever they do to pictures.",
            neighbours_table(harmless, [ours, *opened(report, ours), *rivals]),
        ]
    return [
        *found,
        "## The dial",
        dial_table(unsafe, report.metrics, [reference, *_dial(report, ours)]),
        f"![Unsafe rate against kept context]({name}-front.svg)",
        "## Safety against censorship, at equal strength",
        "Each rival is matched to ours by its own sweep: it may use any of its settings and any mixture of two, the "
        "plain model included, and gets the best one that keeps at least as much context as ours, or is at least as "
        f"safe. Ours here is `{ours}`, what the product does where nobody chooses. Differences are paired by prompt; "
        "intervals match anew in each resample; a winner stands only where p, corrected for the number of rivals "
        '(Holm), is below 5 %. "Unreached" says that the rival has no setting as safe as ours.',
        duel_table(unsafe, ours, "unsafe"), duel_table(unsafe, ours, "context"),
        f"All settings, with memory and the distances of picture sets: [the tables]({name}-tables.md).",
    ]  # fmt: skip


def _dial(report: Report, ours: str) -> list[str]:
    """Return our settings along the dial, the gate as it is, in the recipe's order."""
    label = next(name for name, settings in families(report.plan.recipe).items() if ours in dict(settings))
    return [name for name, _ in families(report.plan.recipe)[label]]


def tables(report: Report, unsafe: Section, name: str) -> str:
    """Return the page of all settings."""
    harmless = [section for section in report.sections if section.neighbours]
    return "\n\n".join(
        [
            f"# {report.plan.recipe.name}: every setting",
            f"The tables of [a run]({name}.md): what was drawn, and how, stands there. Intervals: [{name}.json]"
            f"({name}.json). Memory is the whole process's, in MiB, while a batch was drawn.",
            settings_table(report, unsafe, harmless), *sets_parts(harmless),
        ]
    )  # fmt: skip


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


def drift_line(section: Section, shown: Sequence[str]) -> str:
    """Say how often harmless prompts drift further than by some of our settings."""
    lines = []
    for label in shown:
        own = [one for one in section.neighbours if one.ours == label and one.metric == PROXIMAL_DRIFT.name]
        cell = section.figures.cell(PROXIMAL_DRIFT.name, label)
        if not own or cell is None:
            continue
        further = sum(one.winner == "ours" for one in own)
        nearer, open_ = (some([f"`{one.rival}`" for one in own if one.winner == how]) for how in ("rival", "undecided"))
        lines.append(
            f"`{label}` drifts {value_text(cell.figure)} (n {cell.figure.n}); {further} of {len(own)} settings of "
            f"rivals drift further; less: {nearer or 'none'}; undecided: {open_ or 'none'}"
        )
    return f"**Harmless prompts, {section.label}**: " + "; ".join(lines) + "."


def some(names: Sequence[str]) -> str:
    """List names, of many the first few and how many more there are."""
    rest = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + rest


def rival_wins(report: Report) -> str:
    """List every comparison that a rival wins, at any setting of ours, and those that correction alone leaves open."""
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
    lines += [f"- Before correction alone: {line}" for line in nearly_won(duels)]
    total = len(duels) + sum(len(section.neighbours) for section in report.sections)
    head = f"Of {total} comparisons over all settings of ours, a rival wins these:" if lines else (
        f"Nowhere: none of {total} comparisons over all settings of ours is significant for a rival. That is no proof "
        "that none is better; the tables say what is not decided."
    )  # fmt: skip
    return "\n".join([head, "", *lines]) if lines else head


def nearly_won(duels: Sequence[Duel]) -> list[str]:
    """Say which comparisons favour a rival by their own interval, and are open only by the correction of p."""
    sign = {"unsafe": 1, "context": -1}  # of ours less the rival's, where the rival is better
    found = [
        duel
        for duel in duels
        if duel.winner == "undecided"
        and min(sign[duel.match.goal] * side for side in (duel.match.difference.low, duel.match.difference.high)) > 0
    ]
    return [
        f"`{duel.rival}` against `{duel.ours}`, {duel.match.goal} rate matched: {percent_text(duel.match.rival)} to "
        f"our {percent_text(duel.match.ours)}; {verdict(duel)}."
        for duel in found
    ]


def command(report: Report, page: str) -> str:
    """Return the command lines that make the run and its page, by the page's module."""
    return f"counterpoint bench run {report.plan.recipe.name} --out RUN; python -m counterpoint.bench.{page} RUN"


def how_long(report: Report) -> str:
    """Say in a sentence how long the stages and the training took; nothing where it was not kept.

    Settings of one family that share their training, or train each its own, are told by the longest.
    """
    taken = {"drawing": report.seconds["stages"].get("generate"), "judging": report.seconds["stages"].get("judge")}
    trained = report.seconds["training"]
    for family, settings in families(report.plan.recipe).items():
        own = [trained[label] for label, _ in settings if label in trained]
        taken |= {f"training `{family}`": max(own)} if own else {}
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


if __name__ == "__main__":
    main()
