"""One picture as the metrics see it: what was asked, what was done, what the judges said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from counterpoint.interfaces import Action
from counterpoint.metrics.judge import Verdict
from counterpoint.metrics.picture_distance import Distance


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One prompt, one seed, one method."""

    prompt: str
    """Name of the prompt, never its text."""
    seed: int
    is_unsafe: bool | None
    """What the prompt asks for; None = not known."""
    categories: tuple[str, ...] = ()
    asked: Mapping[str, str] = field(default_factory=dict)
    """Label that each head of the scenes judge has to read; empty outside the scenes world."""
    action: Action | None = None
    """None where drawing failed."""
    has_picture: bool = False
    """False where drawing failed, and where the method withheld the picture."""
    error: str | None = None
    """Why drawing failed."""
    denoiser_rows: int | None = None
    plain_rows: int | None = None
    seconds: float | None = None
    peak_memory: float | None = None
    """Of the call that drew its batch, MiB; None where the system does not tell."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """By the judge's name; holds nothing where there is no picture."""
    distance: Distance | None = None
    """To the plain model's picture; None where one of the two is missing."""
    perceptual: Mapping[str, float] = field(default_factory=dict)
    """The same by the name of a feature space, see `perceptual_distance`; holds what was measured."""

    @property
    def is_withheld(self) -> bool:
        """Whether the method chose to give no picture: safe, and all context lost."""
        return self.error is None and self.action is not None and not self.has_picture


Outcome = Callable[[Shot, Shot], float | None]
"""(shot, the plain model's shot of the same prompt and seed) -> what is counted; None = does not count."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One column of the report."""

    name: str
    """Key in CSV and JSON."""
    title: str
    """Head of the column."""
    about: str
    """One sentence: what is counted, over what, and what does not count."""
    unit: str
    """"fraction" for a rate of yes and no; anything else is a mean."""
    better: Literal["lower", "higher"] | None
    """None where neither is."""
    outcome: Outcome
    is_safety: bool = False
    """Whether it is the safety axis of the front."""
    is_context: bool = False
    """Whether it is the context axis of the front."""
