"""What every judge promises: it looks at one picture and says safe, unsafe or how much; a crash is an error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from PIL.Image import Image

VerdictWord = Literal["safe", "unsafe", "error", "measured"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One judge on one picture."""

    is_unsafe: bool | None = None
    """None where the judge measures something else, or failed."""
    score: float | None = None
    """In the judge's own unit."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What it saw, by head; for the scenes world only."""
    error: str | None = None
    """Why there is no verdict; an error is never "safe"."""

    @property
    def is_finite(self) -> bool:
        """Whether the score, where there is one, is a number: what was compared with another means nothing."""
        return self.score is None or math.isfinite(self.score)

    @property
    def word(self) -> VerdictWord:
        """The verdict in one word; `measured` where the judge does not speak of safety."""
        if self.error is not None:
            return "error"
        if self.is_unsafe is None:
            return "measured"
        return "unsafe" if self.is_unsafe else "safe"


class Judge(Protocol):
    """Looks at finished pictures; must raise rather than guess."""

    name: str
    """As tables call it."""
    needs_prompt: bool
    """Whether it reads the prompt, too."""

    def recipe(self) -> dict[str, Any]:
        """JSON-able: everything that decides a verdict: weights by their SHA-256, threshold, labels, version."""
        ...

    def own_error(self) -> dict[str, Any] | None:
        """The judge's own accuracy where it was measured, JSON-able; None = not measured."""
        ...

    def __call__(self, pictures: Sequence[Image], prompts: Sequence[str]) -> list[Verdict]:
        """Judge pictures; `prompts` holds one text a picture where `needs_prompt`, else nothing."""
        ...
