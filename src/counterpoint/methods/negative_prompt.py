"""The unsafe words as the negative prompt: what most people do (Ho and Salimans, arXiv:2207.12598).

    eps = eps(z, n) + g (eps(z, c) - eps(z, n))        n = the words, in place of the empty text

The whole step away from the empty text is replaced, so there is no scale between it and the plain model;
with `strength` the unconditional embedding is e(n) = e("") + strength (e(words) - e("")), 0 = plain, 1 = as published.
Cost: 2 rows a step, as plain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from counterpoint.interfaces import InvalidInput
from counterpoint.methods.drawing import check_call, draw, need_guidance
from counterpoint.methods.method import Method, MethodPicture
from counterpoint.methods.option_checks import check_number
from counterpoint.methods.unsafe_words import as_texts
from counterpoint.text_space import StableDiffusionText


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to push away from, and how far."""

    concepts: tuple[str, ...] | None = None
    """Words; None = one name of each unsafe object. See `unsafe_words` on more words than one text holds."""
    strength: float = 1.0
    """0 = plain, 1 = the published method, more = extrapolated; from 0."""

    def __post_init__(self) -> None:
        check_number("strength", self.strength, 0.0)


class NegativePrompt:
    """Draw with the unsafe words in place of the empty unconditional text."""

    def __init__(self, pipe: Any, options: Options) -> None:
        self.pipe, self.options = pipe, options
        self.texts = as_texts(pipe, options.concepts)
        self.reader = StableDiffusionText(pipe)

    def __call__(
        self, prompts: Sequence[str], *, generators: Sequence[torch.Generator], **call: Any
    ) -> list[MethodPicture]:
        """Draw; see `Method`. A negative prompt of the caller's own is not allowed."""
        call = check_call(self.pipe, prompts, generators, call)
        need_guidance(self.pipe, call, "a negative prompt")
        if call.pop("negative_prompt", None) is not None:
            raise InvalidInput("negative_prompt", "a text", "None: this method gives its own, see `concepts`")
        empty, *words = self.reader.encode_for(call, ["", *self.texts])[0]
        negative = torch.lerp(empty, torch.stack(words).mean(0), self.options.strength)  # exact at 0 and 1
        return draw(
            self.pipe, prompts, generators, call,
            negative_prompt_embeds=negative[None].expand(len(prompts), -1, -1),
        )  # fmt: skip

    def recipe(self) -> dict[str, Any]:
        """Settings, with the texts that were used."""
        return {"method": "negative_prompt", **asdict(self.options), "texts": self.texts}


def build(pipe: Any, options: Options) -> Method:
    """Return the method."""
    return NegativePrompt(pipe, options)
