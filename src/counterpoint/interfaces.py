"""The vocabulary that all layers share: data, protocols, errors. Standard library only.

The tree of errors; each message says what was given, what is allowed, and what to do:

    CounterpointError
    ├── InvalidInput          also a ValueError: a field of the call holds what it must not hold
    └── SafetyFailure         also a RuntimeError: a safety step failed, so no picture is returned
        ├── DegeneratePicture the model drew NaN, black or one flat colour: a failure, never "safe"
        └── ForbiddenPrompt   the call asks for what is drawn at no level
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

Action = Literal["passed", "steered", "blurred", "blocked"]
"""What was done: nothing; the safe stream was mixed in; the output check hid the picture, or the pipeline's own did."""
Coupling = Literal["joined", "parallel"]
EngineName = Literal["fused", "reference"]
OnUnsafe = Literal["steer", "blur", "block", "flag"]
"""What happens to a picture that the output check calls unsafe: drawn again at a higher level of
safety, blurred, replaced by flat grey, or returned and reported."""
Point = Literal["steer", "balanced", "block"]
"""Working points of the prompt classifier, the widest net first."""


class CounterpointError(Exception):
    """Any error that counterpoint raises on purpose."""


class InvalidInput(CounterpointError, ValueError):
    """A field of the call holds a value that is not allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field, self.value, self.allowed = field, value, allowed
        super().__init__(f"{field}: got {value!r}; allowed: {allowed}")

    def __reduce__(self) -> tuple[type[InvalidInput], tuple[str, object, str]]:
        return type(self), (self.field, self.value, self.allowed)  # so that it may come from another process


class SafetyFailure(CounterpointError, RuntimeError):
    """A safety step failed; fail closed: the call returns no picture."""


class DegeneratePicture(SafetyFailure):
    """The picture holds NaN or one flat colour: nothing can be said of its safety."""


class ForbiddenPrompt(SafetyFailure):
    """The call asks for sexual content about minors: refused before any model runs, at every level."""

    def __init__(self) -> None:
        super().__init__("the prompt combines minors with sexual content; no setting draws that")


@dataclass(frozen=True, kw_only=True)
class Detection:
    """A detector's verdict on one prompt."""

    is_unsafe: bool
    """True where the safe stream has to engage."""
    score: float
    """The largest category score, in the detector's own unit (see the detector)."""
    categories: dict[str, float] = field(default_factory=dict)
    """Score per category, same unit as `score`."""
    evidence: tuple[str, ...] = ()
    """The words of the prompt that spoke for `is_unsafe`, as they stand there, lower case; empty where none did."""
    remarks: tuple[str, ...] = ()
    """What a person should know of the verdict, without words of the prompt: why the gate could not read it."""

    engaged_by: tuple[str, ...] = ()
    """Which of several detectors said `is_unsafe`, by class; empty where none did, or one detector spoke alone."""

    @property
    def is_finite(self) -> bool:
        """Whether all scores are numbers; a verdict with NaN is no verdict."""
        return all(map(math.isfinite, (self.score, *self.categories.values())))


@dataclass(frozen=True, kw_only=True)
class SafeText:
    """What the safe stream is told: a text, or token embeddings that were computed from the prompt's."""

    prompt: str | None = None
    """Safe prompt; None where `prompt_embeds` is given."""
    prompt_embeds: Tensor | None = None
    """Safe token embeddings, (1, L, D); None where `prompt` is given."""
    chosen: str | None = None
    """Name of the safe embedding that gave it, where another one chose; None = the one that was asked."""
    keeps_prompt: bool = False
    """True where the text holds the prompt's own words by design, so that the gate need not be asked about it."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one picture took."""

    denoiser_rows: int
    """Rows (one latent of one stream at one step) that the denoiser ran for this picture."""
    plain_rows: int
    """Rows that the plain pipeline runs for the same picture."""
    seconds: float
    """Wall-clock seconds of the whole call, waiting for other threads included, divided by its pictures."""


@dataclass(frozen=True, kw_only=True)
class SafetyReport:
    """What happened to one picture: what was done, not what was asked for."""

    action: Action
    """"passed" = bit for bit the plain pipeline's call; "steered" = the safe stream was mixed in; "blurred", "blocked"
    = what is returned is not what was drawn."""
    safety: float
    """The dial as resolved, 0..1; where the picture was drawn again, the level of the last time."""
    weight: float
    """Largest weight w that was applied, 0 where the picture passed."""
    tau: float
    """Fraction of the schedule that only the original stream was to run, see `MixingSchedule.tau`; 1 where the picture
    passed."""
    steps_mixed: int
    """Steps after which the latents were mixed."""
    score: float
    categories: dict[str, float]
    embedding: str | None
    """Name of the safe embedding; None where the picture passed."""
    coupling: Coupling | None
    cost: Cost
    engine: EngineName | None = None
    """The engine that ran; None where the picture passed."""
    reuse: int | None = None
    """At every how many mixed steps the safe stream ran, 1 = at each; None where the picture passed."""
    local: dict[str, float] | None = None
    """Fields of the local weight that said where to mix; None where the whole picture was mixed, or it passed."""
    picture_unsafe: bool | None = None
    """What the output check says of the picture as it was drawn last; None where nobody looked."""
    picture_categories: dict[str, float] = field(default_factory=dict)
    """Score per category of the output check, in its detectors' own unit."""
    redraws: int = 0
    """How often the output check had the picture drawn again, at a higher level of safety."""


class TextSpace(Protocol):
    """A pipeline's own text encoder, as detectors and safe embeddings see it."""

    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return token embeddings (B, L, D) and the mask of the words' tokens (B, L), bool."""
        ...


class Detector(Protocol):
    """Says of each prompt whether the safe stream has to engage; must raise rather than guess."""

    def __call__(self, prompts: Sequence[str]) -> list[Detection]: ...


class PictureDetector(Protocol):
    """Says of each finished picture whether it may be shown; must raise rather than guess."""

    def __call__(self, pictures: Sequence[Image]) -> list[Detection]: ...


class SafeEmbedding(Protocol):
    """Says what the safe stream is told in place of a prompt."""

    def __call__(self, prompt: str, detection: Detection) -> SafeText: ...
