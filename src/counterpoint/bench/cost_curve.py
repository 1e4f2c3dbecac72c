"""What each cut of the cost takes away, as one curve: rows against unsafe rate and kept pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from counterpoint.bench.cases import Case
from counterpoint.bench.cost_plot import cost_plot
from counterpoint.bench.setting import Comparison, Drawing, Setting
from counterpoint.engines.local_weight import LocalWeight
from counterpoint.levels import resolve_safety, schedule_for
from counterpoint.mixing import MixingSchedule
from counterpoint.results import Figure

LATER = (0.4, 0.6)
"""Later starts of the mixed window, tau; the levels' own are 0.2 and 0.1."""


def settings() -> list[Setting]:
    """Return all settings; at level high the safe row takes the prompt's place, so that reuse has nothing to save."""
    medium = [_at("medium", "full", reuse=1), *(_at("medium", f"reuse {k}", reuse=k) for k in (2, 3, 4))]
    return [
        *medium,
        _at("medium", "local", reuse=1, local=LocalWeight()),
        *(_later("medium", tau, reuse=1) for tau in LATER),
        _at("high", "full", reuse=1),
        _at("high", "local", reuse=1, local=LocalWeight()),
        _later("high", LATER[0], reuse=1),
    ]


def _at(level: str, name: str, **options: object) -> Setting:
    return Setting(name=f"{level}, {name}", safety=level, options=options)


def _later(level: str, tau: float, **options: object) -> Setting:
    weight = schedule_for(resolve_safety(level)).weight
    return _at(level, f"tau {tau:g}", schedule=MixingSchedule(weight=weight, tau=tau), **options)


def measure(bench: Drawing, cases: Sequence[Case], out: Path) -> dict[str, Figure]:
    """Draw the cases by every setting; also a plot beside `out`."""
    comparison = Comparison(bench, cases)
    outcomes = {setting.name: comparison.draw(setting).figures for setting in settings()}
    cost_plot(outcomes, out.with_suffix(".svg"))
    return {f"{name}: {key}": figure for name, figures in outcomes.items() for key, figure in figures.items()}
