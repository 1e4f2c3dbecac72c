"""SEGA, semantic guidance (Brack et al., NeurIPS 2023, arXiv:2301.12247), as a negative edit for safety.

Each unsafe concept c has an answer e_c of its own. Only where its pull is among the strongest, it is turned round:

    psi_c = - s_e (e_c - u),  kept where |psi_c| >= its lambda-quantile over a channel, else 0
    gamma = sum_c psi_c + s_m nu;    nu = beta nu + (1 - beta) gamma
    eps   = u + g (t - u) + gamma   from step delta on

u, t = the unconditional answer and the prompt's, g the guidance scale. The presets are the three settings that the
authors' I2P benchmark uses for safety; beta is the one of diffusers' `SemanticStableDiffusionPipeline`. The warm-up
counts steps of 50 and is scaled to the call's steps here.
Cost: 2 + C rows a step for C concepts; by default the concepts are one row; see `unsafe_words`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from counterpoint.engines.reference import planned_steps
from counterpoint.methods.drawing import check_call, draw, need_guidance
from counterpoint.methods.extra_rows import extra_rows
from counterpoint.methods.method import Method, MethodPicture
from counterpoint.methods.option_checks import check_choice, check_count, check_number
from counterpoint.methods.unsafe_words import as_texts, embeds_of_texts, words_or_default
from counterpoint.text_space import StableDiffusionText

PUBLISHED_STEPS = 50


class Settings(NamedTuple):
    """The numbers of a preset."""

    edit_guidance_scale: float
    """s_e."""
    edit_threshold: float
    """lambda."""
    edit_warmup_steps: int
    """delta, of `PUBLISHED_STEPS`."""
    edit_momentum_scale: float
    """s_m."""


PRESETS: dict[str, Settings] = {
    "medium": Settings(4.0, 0.9, 10, 0.3),
    "strong": Settings(7.0, 0.85, 5, 0.5),
    "max": Settings(10.0, 0.75, 0, 0.5),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to turn away from, and how strongly."""

    concepts: tuple[str, ...] | None = None
    """Texts with one answer each, a row a step each; None = one name of each unsafe object, and one answer for all."""
    preset: Literal["medium", "strong", "max"] = "strong"
    edit_guidance_scale: float | None = None
    """s_e, from 0, in place of the preset's; 0 = plain."""
    edit_threshold: float | None = None
    """lambda, the quantile below which nothing is edited, 0..1, in place of the preset's."""
    edit_warmup_steps: int | None = None
    """delta, of 50 steps, in place of the preset's."""
    edit_momentum_scale: float | None = None
    """s_m, from 0, in place of the preset's."""
    edit_mom_beta: float = 0.4
    """beta, 0..1."""
    scale_warmup: bool = True
    """Whether the warm-up is a share of the schedule, and not a number of steps."""

    def __post_init__(self) -> None:
        check_choice("preset", self.preset, tuple(PRESETS))
        check_number("edit_guidance_scale", self.settings.edit_guidance_scale, 0.0)
        check_number("edit_threshold", self.settings.edit_threshold, 0.0, 1.0)
        check_count("edit_warmup_steps", self.settings.edit_warmup_steps, 0)
        check_number("edit_momentum_scale", self.settings.edit_momentum_scale, 0.0)
        check_number("edit_mom_beta", self.edit_mom_beta, 0.0, 1.0)

    @property
    def settings(self) -> Settings:
        """The preset's numbers, with what stands in their place."""
        preset = PRESETS[self.preset]
        own = {name: value for name in preset._fields if (value := getattr(self, name)) is not None}
        return preset._replace(**own)


def strongest(edit: Tensor, quantile: float) -> Tensor:
    """Keep a (B, C, H, W) edit where |edit| reaches the quantile of its channel, else 0."""
    size = edit.abs().flatten(2).float()
    least = torch.quantile(size, quantile, dim=2).to(edit)[:, :, None, None]
    return torch.where(edit.abs() >= least, edit, 0.0)


class SemanticGuidance:
    """gamma with its momentum, for one call; see `extra_rows.Combine`."""

    def __init__(self, options: Options, warmup: int, pipe: Any) -> None:
        self.options, self.warmup, self.pipe = options, warmup, pipe
        self.momentum: Tensor | float = 0.0

    def __call__(self, step: int, uncond: Tensor, text: Tensor, extras: Sequence[Tensor]) -> Tensor:
        """Return t' = t + gamma / g."""
        scale, threshold, _, momentum_scale = self.options.settings
        beta = self.options.edit_mom_beta
        edits = [strongest(-scale * (extra - uncond), threshold) for extra in extras]
        gamma = torch.stack(edits).sum(0) + momentum_scale * self.momentum
        self.momentum = beta * self.momentum + (1.0 - beta) * gamma
        return text if step < self.warmup else text + gamma / self.pipe.guidance_scale


class Sega:
    """Draw with negative semantic guidance."""

    def __init__(self, pipe: Any, options: Options) -> None:
        self.pipe, self.options = pipe, options
        self.reader = StableDiffusionText(pipe)
        own = options.concepts
        self.rows = [as_texts(pipe, None)] if own is None else [[text] for text in words_or_default(own)]
        for texts in self.rows:
            self.reader.check_length("concepts", *texts)

    def __call__(
        self, prompts: Sequence[str], *, generators: Sequence[torch.Generator], **call: Any
    ) -> list[MethodPicture]:
        """Draw; see `Method`."""
        call = check_call(self.pipe, prompts, generators, call)
        need_guidance(self.pipe, call, "SEGA")
        share = planned_steps(self.pipe, call) / PUBLISHED_STEPS if self.options.scale_warmup else 1.0
        guidance = SemanticGuidance(self.options, round(self.options.settings.edit_warmup_steps * share), self.pipe)
        embeds = [embeds_of_texts(self.reader, call, texts) for texts in self.rows]
        with extra_rows(self.pipe, embeds, guidance):
            return draw(self.pipe, prompts, generators, call)

    def recipe(self) -> dict[str, Any]:
        """Settings, with the numbers and the texts of each row."""
        return {"method": "sega", **asdict(self.options), **self.options.settings._asdict(), "texts": self.rows}


def build(pipe: Any, options: Options) -> Method:
    """Return the method."""
    return Sega(pipe, options)
