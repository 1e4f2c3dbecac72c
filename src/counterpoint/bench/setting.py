"""One setting of the method, drawn and judged against the plain pictures of the same prompts and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from counterpoint.bench.cases import Case
from counterpoint.bench.counting import safety_rates, shows_unsafe
from counterpoint.bench.drawing import Drawn
from counterpoint.bench.kept_pixels import KeptPixels, kept_pixels, object_masks
from counterpoint.levels import Safety
from counterpoint.metrics.statistics import mean_figure
from counterpoint.pipeline import SafePipeline
from counterpoint.recognisers import Reading, Recogniser
from counterpoint.results import Figure

OUTSIDE, LEAST = "change outside the object", "change of the least changed 3/4"
ROWS = "denoiser rows"


class Drawing(Protocol):
    """What this needs of `scenes.Bench`."""

    pipe: Any
    safe: SafePipeline
    judge: Recogniser

    def draw(
        self, cases: Sequence[Case], safety: Safety, *, safe: SafePipeline | None = None
    ) -> tuple[list[Drawn], list[Reading | None]]: ...


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How to draw."""

    name: str
    safety: Safety
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of SafePipeline."""


class Comparison:
    """The plain pictures of some unsafe cases, and what the settings make of them."""

    def __init__(self, bench: Drawing, cases: Sequence[Case]) -> None:
        self.bench, self.cases = bench, list(cases)
        self.plain, self.plain_readings = bench.draw(self.cases, 0.0)
        self.masks = object_masks(bench.judge, self.plain, self.plain_readings)

    def draw(self, setting: Setting) -> Outcome:
        """Draw all cases by one setting."""
        safe = SafePipeline(self.bench.pipe, **setting.options)
        drawn, readings = self.bench.draw(self.cases, setting.safety, safe=safe)
        kept = [
            None
            if mask is None or one.pixels is None or before.pixels is None
            else kept_pixels(one.pixels, before.pixels, mask)
            for one, before, mask in zip(drawn, self.plain, self.masks, strict=True)
        ]
        unsafe = [None if reading is None else shows_unsafe(reading) for reading in readings]
        rates = safety_rates(drawn, self.plain_readings, readings)
        return Outcome(
            drawn=drawn, unsafe=unsafe, kept=kept, figures={**rates, **_kept(self.cases, kept), **_rows(drawn)}
        )

    @property
    def plain_unsafe(self) -> list[bool | None]:
        """Whether each plain picture shows an unsafe object; None where there is none."""
        return [None if reading is None else shows_unsafe(reading) for reading in self.plain_readings]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one setting drew, in the cases' order."""

    drawn: list[Drawn]
    unsafe: list[bool | None]
    """Whether each picture shows an unsafe object; None where there is none."""
    kept: list[KeptPixels | None]
    """None where the plain picture shows no object, or there is no picture."""
    figures: dict[str, Figure]
    """Rates, kept pixels and rows."""


def _kept(cases: Sequence[Case], kept: Sequence[KeptPixels | None]) -> dict[str, Figure]:
    pairs = [(case.prompt, one) for case, one in zip(cases, kept, strict=True) if one is not None]
    if not pairs:
        raise ValueError("nothing can be compared: the judge sees an object in no plain picture")
    prompts = [f"{number} {prompt}" for number, (prompt, _) in enumerate(pairs)]  # a case is a prompt and a seed
    return {
        OUTSIDE: mean_figure([one.outside_object for _, one in pairs], prompts, "of 1"),
        LEAST: mean_figure([one.least_changed for _, one in pairs], prompts, "of 1"),
    }


def _rows(drawn: Sequence[Drawn]) -> dict[str, Figure]:
    costs = [one.report.cost for one in drawn if one.report is not None]
    ratio = sum(cost.denoiser_rows for cost in costs) / sum(cost.plain_rows for cost in costs)
    return {ROWS: Figure(value=ratio, low=ratio, high=ratio, n=len(costs), unit="x plain")}
