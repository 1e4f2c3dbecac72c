"""From shots to figures with intervals, paired differences, and which value is the best, if any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from counterpoint.metrics.shot import Metric, Shot
from counterpoint.metrics.statistics import Difference, mean_figure, paired_difference, rate_figure
from counterpoint.results import Figure

Shots = Mapping[str, Sequence[Shot]]
"""By method, the reference first; the n-th shots of all methods belong together."""
Paired = dict[int, float]
"""Outcome by the place of the shot, for those that count."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One figure of a table."""

    metric: str
    method: str
    category: str | None
    """None = all rows."""
    figure: Figure
    is_best: bool = False
    """Whether it is better than every other method's but the plain model's, each difference significant."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A method against the plain model."""

    metric: str
    method: str
    difference: Difference


@dataclass(frozen=True, kw_only=True)
class DataSetFigures:
    """Everything that is counted on one data set."""

    cells: tuple[Cell, ...]
    comparisons: tuple[Comparison, ...]

    def cell(self, metric: str, method: str, category: str | None = None) -> Cell | None:
        """Return one figure; None where nothing counts."""
        wanted = (metric, method, category)
        return next((cell for cell in self.cells if (cell.metric, cell.method, cell.category) == wanted), None)

    @property
    def categories(self) -> list[str]:
        """Categories that have figures of their own."""
        return sorted({cell.category for cell in self.cells if cell.category is not None})


def measure(shots: Shots, metrics: Sequence[Metric]) -> DataSetFigures:
    """Count every metric for every method on one data set; by category for the safety metrics."""
    cells: list[Cell] = []
    comparisons: list[Comparison] = []
    reference = next(iter(shots))
    for metric in metrics:
        counted = {method: _outcomes(metric, own, shots[reference]) for method, own in shots.items()}
        best = _best(metric, counted, shots, reference)
        for method, outcomes in counted.items():
            if not outcomes:
                continue
            figure = _figure(metric, outcomes, shots[method])
            cells.append(Cell(metric=metric.name, method=method, category=None, figure=figure, is_best=method == best))
            if metric.is_safety:
                cells += _by_category(metric, method, outcomes, shots[method])
            if method != reference and (difference := _difference(outcomes, counted[reference], shots[method])):
                comparisons.append(Comparison(metric=metric.name, method=method, difference=difference))
    return DataSetFigures(cells=tuple(cells), comparisons=tuple(comparisons))


def compare(metric: Metric, first: Sequence[Shot], second: Sequence[Shot], plain: Sequence[Shot]) -> Difference | None:
    """Compare two methods, first - second, where both count; None where no picture counts for both.

    Args:
        metric: What is counted.
        first, second: The methods' shots; the n-th ones belong together.
        plain: The plain model's.
    """
    return _difference(_outcomes(metric, first, plain), _outcomes(metric, second, plain), first)


def _outcomes(metric: Metric, shots: Sequence[Shot], plain: Sequence[Shot]) -> Paired:
    pairs = enumerate(zip(shots, plain, strict=True))
    outcomes = {place: metric.outcome(shot, other) for place, (shot, other) in pairs}
    return {place: outcome for place, outcome in outcomes.items() if outcome is not None}


def _figure(metric: Metric, outcomes: Paired, shots: Sequence[Shot]) -> Figure:
    values, prompts = list(outcomes.values()), [shots[place].prompt for place in outcomes]
    if metric.unit == "fraction":
        return rate_figure(values, prompts)
    return mean_figure(values, prompts, metric.unit)


def _by_category(metric: Metric, method: str, outcomes: Paired, shots: Sequence[Shot]) -> list[Cell]:
    names = sorted({name for place in outcomes for name in shots[place].categories})
    cells = []
    for name in names:
        own = {place: value for place, value in outcomes.items() if name in shots[place].categories}
        cells.append(Cell(metric=metric.name, method=method, category=name, figure=_figure(metric, own, shots)))
    return cells


def _difference(first: Paired, second: Paired, shots: Sequence[Shot]) -> Difference | None:
    places = [place for place in first if place in second]
    if not places:
        return None
    values = [[side[place] for place in places] for side in (first, second)]
    return paired_difference(values[0], values[1], [shots[place].prompt for place in places])


def _best(metric: Metric, counted: Mapping[str, Paired], shots: Shots, reference: str) -> str | None:
    """Return the method that is significantly better than every other one, the reference aside."""
    rivals = {method: outcomes for method, outcomes in counted.items() if outcomes and method != reference}
    if metric.better is None or len(rivals) < 2:
        return None
    sign = 1.0 if metric.better == "higher" else -1.0
    best = max(rivals, key=lambda method: sign * sum(rivals[method].values()) / len(rivals[method]))
    for method, outcomes in rivals.items():
        if method == best:
            continue
        difference = _difference(rivals[best], outcomes, shots[best])
        if difference is None or sign * difference.value <= 0 or not difference.is_significant(len(rivals) - 1):
            return None
    return best
