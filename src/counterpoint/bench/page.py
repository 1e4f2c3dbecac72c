"""The report as one HTML page that needs nothing beside it: no network, no other file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from counterpoint.bench.figures import Cell
from counterpoint.bench.report import Report, Section, shown_methods, shown_recipe
from counterpoint.bench.rivals import Duel, Neighbour, best_rivals, our_labels
from counterpoint.bench.svg_plots import Point, colours_of, dial_plot, front_plot
from counterpoint.levels import LEVELS
from counterpoint.metrics.shot import Metric
from counterpoint.results import Figure

DIAL = "safety"
"""Option that a dial curve runs along."""


def page(report: Report) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "value": value_text, "interval": interval_text, "bar": bar, "percent": percent_text, "mixture": mixture_text,
    }  # fmt: skip
    plan = report.plan
    families = {label: part.label or part.name for label, part in plan.recipe.expanded()}
    colours = colours_of(list(families.values()), plan.reference)
    return environment.get_template("report.html.jinja").render(
        report=report, plan=plan, colours={method: colours[families[method]] for method in plan.methods},
        sections=[_shown(section, report, families, colours) for section in report.sections],
        pictures=len(plan.all_tasks()), prompts=len(plan.prompts),
        context=next(metric for metric in report.metrics if metric.is_context),
        details={
            "Recipe": _json(shown_recipe(plan)), "Methods, as they describe themselves": _json(shown_methods(plan)),
            "Versions": _json(dict(plan.versions)),
            "How long it took, in seconds": _json(report.seconds),
        },
    )  # fmt: skip


def _source(name: str) -> str:
    return (resources.files("counterpoint.bench") / name).read_text(encoding="utf-8")


def _shown(section: Section, report: Report, families: Mapping[str, str], colours: Mapping[str, str]) -> dict[str, Any]:
    metrics, figures = report.metrics, section.figures
    shown = [metric for metric in metrics if any(figures.cell(metric.name, method) for method in section.shots)]
    safety = [metric for metric in shown if metric.is_safety]
    return {
        "section": section, "metrics": shown, "front": _front(section, shown, families, colours),
        "dials": _dials(section, report, shown), "safety": safety, "headline": _headline(section, report, safety),
        "comparisons": {(one.metric, one.method): one.difference for one in figures.comparisons},
        "duels": _duels(section, report), "neighbours": _neighbours(section, report),
    }  # fmt: skip


def _duels(section: Section, report: Report) -> dict[str, list[tuple[str, Duel, Duel]]]:
    """Return (rival, at equal context, at equal unsafe rate), the strongest rival first, by our setting."""
    found = {}
    for ours in our_labels(report.plan.recipe):
        other = {duel.rival: duel for duel in best_rivals(section.duels, ours, "context")}
        rows = [(duel.rival, duel, other[duel.rival]) for duel in best_rivals(section.duels, ours, "unsafe")]
        if rows:
            found[ours] = rows
    return found


def _neighbours(section: Section, report: Report) -> dict[str, dict[str, dict[str, Neighbour]]]:
    """Return what was compared by our setting, the rival's setting and the metric."""
    found: dict[str, dict[str, dict[str, Neighbour]]] = {}
    for label in our_labels(report.plan.recipe):
        for one in section.neighbours:
            if one.ours == label:
                found.setdefault(label, {}).setdefault(one.rival, {})[one.metric] = one
    return found


def front_of(section: Section, report: Report) -> str | None:
    """Return the plot of safety against context by itself; None where one of the two cannot be counted."""
    families = {label: part.label or part.name for label, part in report.plan.recipe.expanded()}
    return _front(section, report.metrics, families, colours_of(list(families.values()), report.plan.reference))


def _front(
    section: Section, metrics: Sequence[Metric], families: Mapping[str, str], colours: Mapping[str, str]
) -> Markup | None:
    """Draw safety against context with the first judge; None where one of the two cannot be counted."""
    safety = next((metric for metric in metrics if metric.is_safety), None)
    context = next((metric for metric in metrics if metric.is_context), None)
    if safety is None or context is None:
        return None
    points = [
        Point(label=method, family=families[method], unsafe=unsafe.figure, context=kept.figure)
        for method in section.shots
        if (unsafe := section.figures.cell(safety.name, method))
        and (kept := section.figures.cell(context.name, method))
    ]
    return Markup(front_plot(points, colours, context.title))


def _dials(section: Section, report: Report, metrics: Sequence[Metric]) -> dict[str, Markup]:
    """Draw one curve for each method that stands in the recipe at several settings of the dial."""
    lines = [metric for metric in metrics if metric.is_safety or metric.is_context or metric.name == "object kept"]
    found: dict[str, list[tuple[float, str]]] = {}
    for label, part in report.plan.recipe.expanded():
        setting = part.options.get(DIAL)
        number = LEVELS.get(setting) if isinstance(setting, str) else setting
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            name = label.replace(f" {DIAL} {setting}", "")  # a sweep writes it into the label
            found.setdefault(name, []).append((float(number), label))
    dials = {}
    for name, settings in found.items():
        if all(number > 0.0 for number, _ in settings):
            settings.append((0.0, report.plan.reference))  # safety 0 is the plain model
        settings.sort()
        drawn = {}
        for metric in lines:
            cells = [section.figures.cell(metric.name, label) for _, label in settings]
            if all(cells):
                drawn[metric.title] = [cell.figure for cell in cells if cell]
        if len(settings) > 2 and drawn:
            dials[name] = Markup(dial_plot([number for number, _ in settings], drawn))
    return dials


def _headline(section: Section, report: Report, safety: Sequence[Metric]) -> list[str]:
    """Say in a sentence what the safest method does against the plain model, for each judge."""
    sentences = []
    for metric in safety:
        reference = section.figures.cell(metric.name, report.plan.reference)
        rivals = [
            one for one in section.figures.comparisons
            if one.metric == metric.name and section.figures.cell(metric.name, one.method)
        ]  # fmt: skip
        if reference is None or not rivals:
            continue
        first = min(rivals, key=lambda one: one.difference.value)
        cell = section.figures.cell(metric.name, first.method)
        assert cell is not None
        gap = first.difference
        # It is the best of them all, so it has to hold after correction for their number.
        surely = "a significant difference" if gap.is_significant(len(rivals)) else "not a significant difference"
        sentences.append(
            f"{metric.name.removeprefix('unsafe, ').capitalize()}: {first.method} draws "
            f"{value_text(cell.figure)} unsafe pictures ({interval_text(cell.figure)}), the plain model "
            f"{value_text(reference.figure)} ({interval_text(reference.figure)}); {surely} "
            f"after correction for {len(rivals)} methods (p = {gap.p:.2g} before it, {gap.prompts} prompts)."
        )
    return sentences


def value_text(figure: Figure) -> str:
    """Return a figure as people read it: rates in per cent, the rest with three figures."""
    if figure.unit == "fraction":
        return f"{100 * figure.value:.1f} %"
    return _three_figures(figure.value)


def _three_figures(value: float) -> str:
    """Return 0.0123, 1.02 or 1020: three figures at least, and no power of ten."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def interval_text(figure: Figure) -> str:
    """Return the 95 % interval; nothing where all values are the same."""
    if figure.unit != "fraction" and figure.low == figure.high:
        return ""
    if figure.unit == "fraction":
        return f"{100 * figure.low:.0f}–{100 * figure.high:.0f} %"
    dash = " to " if figure.low < 0 else "–"
    return f"{_three_figures(figure.low)}{dash}{_three_figures(figure.high)}"


def percent_text(value: float) -> str:
    """Return a rate in per cent."""
    return f"{100 * value:.1f} %"


def mixture_text(duel: Duel) -> str:
    """Say which settings of the rival were matched."""
    match = duel.match
    settings = match.first if match.share == 0.0 else f"{100 * match.share:.0f} % {match.second}, else {match.first}"
    return settings if match.is_reached else f"not reached; nearest: {settings}"


def bar(cell: Cell) -> Markup:
    """Return a thin picture of a rate's interval on 0..1; nothing for other units."""
    f = cell.figure
    if f.unit != "fraction":
        return Markup("")
    left, width = 100 * f.low, max(100 * (f.high - f.low), 1.5)
    return Markup('<i class="track"><i style="left:{:.1f}%;width:{:.1f}%"></i><b style="left:{:.1f}%"></b></i>').format(
        min(left, 98.5), min(width, 100.0 - min(left, 98.5)), 100 * f.value
    )


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
