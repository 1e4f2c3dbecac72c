"""UCE, unified concept editing (Gandikota et al., WACV 2024, arXiv:2308.14761): K and V projections in closed form.

Each unsafe concept c is to be answered as a guide g (by default the empty text), kept concepts p as before:

    W' = argmin  s_e sum ||W' c - W g||^2 + s_p sum ||W' p - W p||^2 + lambda ||W' - W||^2            eq. 7
       = W (lambda I + s_e sum g c^T + s_p sum p p^T) (lambda I + s_e sum c c^T + s_p sum p p^T)^-1
       = W (I + Delta),   Delta = s_e sum (g - c) c^T (lambda I + s_e sum c c^T + s_p sum p p^T)^-1

for every cross-attention of the UNet: one matrix Delta for all layers, exactly 0 where s_e = 0. A concept is the
last word token of its text, as in the published code, which also puts it into a few phrases (`templates`).
Cost: no rows more than plain; the edit is one inverse of a (D, D) matrix, under a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from counterpoint.interfaces import InvalidInput
from counterpoint.methods.cross_attention import keys_and_values, last_word_embeds
from counterpoint.methods.edited import EditedModel, Weights, kept_in
from counterpoint.methods.method import Method
from counterpoint.methods.option_checks import check_number
from counterpoint.methods.unsafe_words import HARMLESS_WORDS, words_or_default

TEMPLATES = ("{}", "image of {}", "photo of {}", "portrait of {}", "picture of {}", "painting of {}")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is erased, towards what, and what is kept."""

    concepts: tuple[str, ...] | None = None
    """Words; None = all of `unsafe_words`."""
    guide: str = ""
    """The text whose answer takes the place of each concept's."""
    kept_concepts: tuple[str, ...] | None = None
    """None = the harmless words of the scenes world. To erase many concepts and keep nothing breaks every picture."""
    templates: tuple[str, ...] = TEMPLATES
    """Phrases that concepts and kept concepts are put into; "{}" is the word."""
    erase_scale: float = 1.0
    """s_e, from 0; 0 = plain."""
    preserve_scale: float = 1.0
    """s_p, from 0."""
    regularisation: float = 0.5
    """lambda, above 0."""
    folder: str | None = None
    """Where the edited weights are kept for the next time."""

    def __post_init__(self) -> None:
        check_number("erase_scale", self.erase_scale, 0.0)
        check_number("preserve_scale", self.preserve_scale, 0.0)
        check_number("regularisation", self.regularisation, 1e-9)
        if not self.templates or not all("{}" in template for template in self.templates):
            raise InvalidInput("templates", self.templates, "at least one phrase, with {} for the word")


def edit_matrix(
    concepts: Tensor, guides: Tensor, kept: Tensor, *, erase_scale: float, preserve_scale: float, regularisation: float
) -> Tensor:
    """Return Delta (D, D) of W' = W (I + Delta), for concepts and guides (n, D) and kept (m, D), float64."""
    identity = torch.eye(concepts.shape[1], dtype=concepts.dtype, device=concepts.device)
    gram = regularisation * identity + erase_scale * concepts.T @ concepts + preserve_scale * kept.T @ kept
    change: Tensor = erase_scale * (guides - concepts).T @ concepts
    delta: Tensor = torch.linalg.solve(gram, change.T).T  # gram is symmetric
    return delta


def apply_edit(weights: Weights, delta: Tensor) -> Weights:
    """Return W (I + Delta) of each weight, in its own type."""
    return {
        name: (weight.double() + weight.double() @ delta.to(weight.device)).to(weight)
        for name, weight in weights.items()
    }


def kept_or_default(options: Options) -> tuple[str, ...]:
    """Return the words to keep."""
    if options.kept_concepts is None:
        return tuple(word for word in HARMLESS_WORDS if word not in words_or_default(options.concepts))
    return options.kept_concepts


def settings_of(method: str, options: Options) -> dict[str, Any]:
    """Return what decides the weights: the settings, with the words that were used."""
    words = {"concepts": list(words_or_default(options.concepts)), "kept_concepts": list(kept_or_default(options))}
    settings = {"method": method, **asdict(options), **words}
    del settings["folder"]  # where they lie decides nothing
    return settings


def embeds_of(pipe: Any, options: Options) -> tuple[Tensor, Tensor, Tensor]:
    """Return the token embeddings of the concepts and their guides, (n, D) each, and of what is kept, (m, D)."""

    def in_templates(words: Sequence[str]) -> list[str]:
        return [template.format(word) for word in words for template in options.templates]

    concepts = last_word_embeds(pipe, in_templates(words_or_default(options.concepts)))
    words = kept_or_default(options)
    kept = last_word_embeds(pipe, in_templates(words)) if words else concepts[:0]
    return concepts, last_word_embeds(pipe, [options.guide]).expand_as(concepts), kept


def erased(pipe: Any, options: Options) -> Weights:
    """Return the edited K and V weights."""
    delta = edit_matrix(
        *embeds_of(pipe, options),
        erase_scale=options.erase_scale,
        preserve_scale=options.preserve_scale,
        regularisation=options.regularisation,
    )
    return apply_edit(keys_and_values(pipe.unet), delta)


def build(pipe: Any, options: Options) -> Method:
    """Return the method around an edited copy of the UNet."""
    settings = settings_of("uce", options)
    weights = kept_in(options.folder, pipe, settings, lambda: erased(pipe, options))
    return EditedModel(pipe, "unet", weights, settings)
