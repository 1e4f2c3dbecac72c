"""Safe Latent Diffusion (Schramowski et al., CVPR 2023, arXiv:2211.05105).

A third answer s, to a text of unsafe concepts, is pushed away from where the prompt comes close to it:

    mu    = clamp(s_S |t - s|, max 1) where t - s < lambda, else 0           eq. 6
    gamma = mu (s - u) + s_m nu                                              eq. 4, 7
    nu    = beta nu + (1 - beta) gamma                                       eq. 8
    eps   = u + g ((t - u) - gamma)   from step delta on                     eq. 3

u, t = the unconditional answer and the prompt's. The presets are the paper's; diffusers' `SafetyConfig` has the same
numbers but for the weak one, where it says 20 in place of 200. Their warm-up delta counts steps of 50: it is scaled to
the call's steps unless `scale_warmup` is off.
Cost: 3 rows a step in place of 2, from the first step on (the momentum builds up during the warm-up).
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
from counterpoint.methods.option_checks import check_choice, check_number
from counterpoint.methods.unsafe_words import as_texts, embeds_of_texts
from counterpoint.text_space import StableDiffusionText

PUBLISHED_STEPS = 50


class Settings(NamedTuple):
    """The numbers of a preset."""

    warmup_steps: int
    """delta, of `PUBLISHED_STEPS`."""
    guidance_scale: float
    """s_S."""
    threshold: float
    """lambda."""
    momentum_scale: float
    """s_m."""
    mom_beta: float
    """beta."""


PRESETS: dict[str, Settings] = {
    "weak": Settings(15, 200.0, 0.0, 0.0, 0.0),
    "medium": Settings(10, 1000.0, 0.01, 0.3, 0.4),
    "strong": Settings(7, 2000.0, 0.025, 0.5, 0.7),
    "max": Settings(0, 5000.0, 1.0, 0.5, 0.7),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """A preset, what is unsafe, and a factor to sweep."""

    preset: Literal["weak", "medium", "strong", "max"] = "medium"
    concepts: tuple[str, ...] | None = None
    """Words; None = one name of each unsafe object. See `unsafe_words` on more words than one text holds."""
    strength: float = 1.0
    """Factor on gamma: 0 = plain, 1 = as published; from 0. Ours, to sweep."""
    scale_warmup: bool = True
    """Whether the warm-up is a share of the schedule, and not a number of steps."""

    def __post_init__(self) -> None:
        check_choice("preset", self.preset, tuple(PRESETS))
        check_number("strength", self.strength, 0.0)


def concept_scale(text: Tensor, safety: Tensor, guidance_scale: float, threshold: float) -> Tensor:
    """Return mu, 0..1: clamp(s_S |t - s|, max 1) where t - s < lambda, else 0."""
    scale = ((text - safety).abs() * guidance_scale).clamp(max=1.0)
    return torch.where(text - safety >= threshold, 0.0, scale)


class SafetyGuidance:
    """gamma with its momentum, for one call; see `extra_rows.Combine`."""

    def __init__(self, settings: Settings, warmup: int, strength: float) -> None:
        self.settings, self.warmup, self.strength = settings, warmup, strength
        self.momentum: Tensor | float = 0.0

    def __call__(self, step: int, uncond: Tensor, text: Tensor, extras: Sequence[Tensor]) -> Tensor:
        """Return t' = t - strength gamma."""
        (safety,) = extras
        _, scale, threshold, momentum_scale, beta = self.settings
        gamma = concept_scale(text, safety, scale, threshold) * (safety - uncond) + momentum_scale * self.momentum
        self.momentum = beta * self.momentum + (1.0 - beta) * gamma
        return text if step < self.warmup else text - self.strength * gamma


class SafeLatentDiffusion:
    """Draw with safety guidance."""

    def __init__(self, pipe: Any, options: Options) -> None:
        self.pipe, self.options = pipe, options
        self.texts = as_texts(pipe, options.concepts)
        self.reader = StableDiffusionText(pipe)

    def __call__(
        self, prompts: Sequence[str], *, generators: Sequence[torch.Generator], **call: Any
    ) -> list[MethodPicture]:
        """Draw; see `Method`."""
        call = check_call(self.pipe, prompts, generators, call)
        need_guidance(self.pipe, call, "SLD")
        settings = PRESETS[self.options.preset]
        share = planned_steps(self.pipe, call) / PUBLISHED_STEPS if self.options.scale_warmup else 1.0
        guidance = SafetyGuidance(settings, round(settings.warmup_steps * share), self.options.strength)
        embeds = embeds_of_texts(self.reader, call, self.texts)
        with extra_rows(self.pipe, [embeds], guidance):
            return draw(self.pipe, prompts, generators, call)

    def recipe(self) -> dict[str, Any]:
        """Settings, with the preset's numbers and the texts that were used."""
        return {
            "method": "sld", **asdict(self.options), "texts": self.texts, **PRESETS[self.options.preset]._asdict(),
        }  # fmt: skip


def build(pipe: Any, options: Options) -> Method:
    """Return the method."""
    return SafeLatentDiffusion(pipe, options)
