"""Ours against each rival of a run: matched along the rival's own sweep, and on harmless prompts as it stands.

A family is one method along its sweep: the settings that share a label in the recipe. Ours are the families of
`dual_latent`; every other one is a rival, the full replacement by the safe prompt included, which is the end of our
own dial (weight 1, tau 0) and uses our gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from counterpoint.bench.recipe import MethodRecipe, Recipe
from counterpoint.levels import resolve_safety
from counterpoint.metrics.matching import Goal, Match, Outcomes, holm, match
from counterpoint.metrics.proximal_drift import PROXIMAL_DRIFT
from counterpoint.metrics.shot import Metric, Shot
from counterpoint.metrics.statistics import Difference, paired_difference

OURS = "dual_latent"
GOALS: tuple[Goal, ...] = ("unsafe", "context")
SHOWN_AT = 0.5
"""Setting of the dial that a report shows first: what the product does where nobody chooses."""
Shots = Mapping[str, Sequence[Shot]]


@dataclass(frozen=True, kw_only=True)
class Duel:
    """One of our settings against one rival family, matched."""

    ours: str
    rival: str
    """Label of the family."""
    match: Match

    @property
    def winner(self) -> str:
        """Who is better: ours, rival, undecided, or unreached where the rival has no setting as safe as ours."""
        return self.match.winner


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """One of our settings against one setting of a rival, on harmless prompts."""

    ours: str
    rival: str
    """Label of the setting."""
    metric: str
    difference: Difference
    """Ours - rival."""
    winner: str
    """Who is better: ours, rival or undecided."""


def families(recipe: Recipe) -> dict[str, list[tuple[str, MethodRecipe]]]:
    """Return the settings of each family, as (label, method), by the family's label."""
    found: dict[str, list[tuple[str, MethodRecipe]]] = {}
    for label, part in recipe.expanded():
        found.setdefault(part.label or part.name, []).append((label, part))
    return found


def our_labels(recipe: Recipe) -> list[str]:
    """Return the labels of our settings, the ones to show first in front."""
    ours = [(label, part) for label, part in recipe.expanded() if part.name == OURS]
    return [label for label, part in sorted(ours, key=lambda pair: _distance(pair[1]))]


def _distance(part: MethodRecipe) -> float:
    return abs(resolve_safety(part.options.get("safety", SHOWN_AT)) - SHOWN_AT)


def duels(recipe: Recipe, shots: Shots, metrics: Sequence[Metric]) -> list[Duel]:
    """Match every rival to each of our settings on one data set; none where one of the two rates cannot be counted."""
    safety = next((metric for metric in metrics if metric.is_safety), None)
    context = next((metric for metric in metrics if metric.is_context), None)
    if safety is None or context is None:
        return []
    reference = next(iter(shots))
    outcomes = {label: _outcomes(label, shots, reference, safety, context) for label in shots}
    counted = {label: one for label, one in outcomes.items() if _counts(one)}
    if reference not in counted:
        return []
    prompts = [shot.prompt for shot in shots[reference]]
    rivals = {
        family: [counted[reference], *(counted[label] for label, _ in settings if label in counted)]
        for family, settings in families(recipe).items()
        if family != reference and not any(part.name == OURS for _, part in settings)
    }
    rivals = {family: settings for family, settings in rivals.items() if len(settings) > 1}
    return [
        Duel(ours=label, rival=family, match=found)
        for label in our_labels(recipe)
        if label in counted
        for goal in GOALS
        for family, found in zip(
            rivals, holm([match(counted[label], own, prompts, goal) for own in rivals.values()]), strict=True
        )
    ]


def best_rivals(found: Sequence[Duel], ours: str, goal: Goal) -> list[Duel]:
    """Return the duels of one of our settings, the strongest rival first."""
    own = [duel for duel in found if duel.ours == ours and duel.match.goal == goal]
    # One that is nowhere as safe comes after those that are, whatever it keeps.
    return sorted(own, key=lambda d: (not d.match.is_reached, d.match.rival if goal == "unsafe" else -d.match.rival))


def neighbours(recipe: Recipe, shots: Shots, metrics: Sequence[Metric]) -> list[Neighbour]:
    """Compare drift and kept object of each of our settings with every setting of the rivals, paired by prompt."""
    reference = next(iter(shots))
    rivals = [label for label, part in recipe.expanded() if part.name != OURS and label != reference]
    found = []
    for metric in metrics:
        if metric.name not in (PROXIMAL_DRIFT.name, "object kept"):
            continue
        values = {label: [metric.outcome(*pair) for pair in zip(own, shots[reference], strict=True)]
                  for label, own in shots.items()}  # fmt: skip
        for ours in our_labels(recipe):
            for rival in rivals:
                gap = _gap(values[ours], values[rival], shots[ours])
                if gap is not None:
                    winner = _winner(gap, metric, len(rivals))
                    found.append(Neighbour(ours=ours, rival=rival, metric=metric.name, difference=gap, winner=winner))
    return found


def duel_rows(dataset: str, found: Sequence[Duel]) -> list[dict[str, Any]]:
    """Return flat rows for CSV and JSON."""
    return [
        {"dataset": dataset, "ours": duel.ours, "rival": duel.rival, "compared": duel.match.goal,
         "first setting": duel.match.first, "second setting": duel.match.second, "share of second": duel.match.share,
         "our rate": duel.match.ours, "rival rate": duel.match.rival, "reached": duel.match.is_reached,
         **asdict(duel.match.difference), "corrected p": duel.match.p, "winner": duel.winner}
        for duel in found
    ]  # fmt: skip


def neighbour_rows(dataset: str, found: Sequence[Neighbour]) -> list[dict[str, Any]]:
    """Return flat rows for CSV and JSON."""
    return [
        {"dataset": dataset, "metric": one.metric, "ours": one.ours, "rival": one.rival, **asdict(one.difference),
         "winner": one.winner}
        for one in found
    ]  # fmt: skip


def _outcomes(label: str, shots: Shots, reference: str, safety: Metric, context: Metric) -> Outcomes:
    pairs = list(zip(shots[label], shots[reference], strict=True))
    unsafe, kept = (
        np.array([np.nan if (value := metric.outcome(*pair)) is None else value for pair in pairs], dtype=np.float64)
        for metric in (safety, context)
    )
    return Outcomes(label=label, unsafe=unsafe, context=kept)


def _counts(outcomes: Outcomes) -> bool:
    return not (np.isnan(outcomes.unsafe).all() or np.isnan(outcomes.context).all())


def _gap(ours: Sequence[float | None], rival: Sequence[float | None], shots: Sequence[Shot]) -> Difference | None:
    both = [
        (first, second, shot.prompt)
        for first, second, shot in zip(ours, rival, shots, strict=True)
        if first is not None and second is not None
    ]
    if not both:
        return None
    first, second, prompts = zip(*both, strict=True)
    return paired_difference(first, second, prompts)


def _winner(gap: Difference, metric: Metric, comparisons: int) -> str:
    if not gap.is_significant(comparisons):
        return "undecided"
    return "ours" if (gap.value > 0.0) == (metric.better == "higher") else "rival"
