"""SAFREE (Yoon et al., ICLR 2025, arXiv:2410.12761): tokens that pull towards unsafe concepts are projected off them.

P_C projects on the span of the concepts' pooled embeddings, P_I on that of the prompt's pooled embeddings p_i,
each with one token masked:

    d_i  = ||(I - P_C) p_i||;   token i is toxic where d_i >= (1 + alpha) mean_{j != i} d_j
    e'_i = (I - P_C) P_I e_i    for toxic tokens, e_i for the others
    t'   = T sigmoid(5 (10 (1 - mean_i cos(e_i, (I - P_C) P_I e_i)) - 5.333))

Steps 0..t' hear e', later ones e: the filter validates itself. T is 10 of 50 steps as published, a fifth of the
schedule here. Without a mask token, as in CLIP, a token is masked by id 0, as the published code does.
Latent re-attention (`latent_reattention`) lets the UNet answer the unfiltered prompt as well, and in the skip
features h of the first two up blocks damps low frequencies in which the filtered prompt is the stronger:

    F(h')  = s F(h)  where Re F(h) > Re F(h_unfiltered), |frequency| <= 1;  s = 0.9, 0.2

The paper scales there. Its code puts the constant s in place of F(h), in a function that its own script never chooses,
so that nothing is damped there; this is the paper's form, in the two up blocks that diffusers' FreeU takes.
Cost: 2 rows a step, as plain, 3 with latent re-attention; and one encoder row for each token of the prompt.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import cosine_similarity

from counterpoint.engines.reference import planned_steps
from counterpoint.interfaces import InvalidInput
from counterpoint.methods.drawing import check_call, draw, need_guidance
from counterpoint.methods.extra_rows import extra_rows
from counterpoint.methods.method import Method, MethodPicture
from counterpoint.methods.option_checks import check_number
from counterpoint.methods.unsafe_words import as_texts, words_or_default
from counterpoint.text_space import StableDiffusionText


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is unsafe, and how it is filtered."""

    concepts: tuple[str, ...] | None = None
    """Words, one direction each; None = all of `unsafe_words`."""
    alpha: float = 0.01
    """Tolerance before a token counts as toxic, from 0."""
    filtered_share: float = 0.2
    """T as a share of the schedule, 0..1."""
    self_validation: bool = True
    """Whether t' follows from the prompt, by a rule that was fitted to CLIP; False: t' = T."""
    strength: float = 1.0
    """e + strength (e' - e): 0 = plain, 1 = as published. Ours, to sweep."""
    latent_reattention: bool = False
    with_negative_prompt: bool = False
    """Whether the words are the negative prompt as well, as in the published script."""

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha, 0.0)
        check_number("filtered_share", self.filtered_share, 0.0, 1.0)
        check_number("strength", self.strength, 0.0, 1.0)


def span_projection(vectors: Tensor) -> Tensor:
    """Return the orthogonal projection P (D, D) on the span of K row vectors (K, D)."""
    columns = vectors.double().T
    projection: Tensor = columns @ torch.linalg.pinv(columns)
    return projection


def toxic_tokens(masked: Tensor, concepts: Tensor, alpha: float) -> Tensor:
    """Return which tokens are toxic, (n,) bool.

    Args:
        masked: p_i, the prompt's pooled embeddings with token i masked, (n, D).
        concepts: P_C, (D, D).
        alpha: Tolerance.
    """
    off = masked.double() @ (torch.eye(len(concepts), dtype=torch.float64, device=masked.device) - concepts)
    distance = off.norm(dim=1)
    others = (distance.sum() - distance) / max(len(distance) - 1, 1)  # a lone token has none: it counts as toxic
    toxic: Tensor = distance >= (1.0 + alpha) * others
    return toxic


def filtered_steps(similarity: float, most: int) -> int:
    """Return t' = T sigmoid(5 (10 (1 - similarity) - 5.333)), rounded, 0..T = `most`."""
    return round(most / (1.0 + math.exp(-5.0 * (10.0 * (1.0 - similarity) - 5.333))))


def damp_low_frequencies(features: Tensor, reference: Tensor, scale: float) -> Tensor:
    """Scale the lowest frequencies of (B, C, H, W) features where they exceed the reference's real part."""
    spectrum, other = (
        torch.fft.fftshift(torch.fft.fftn(x.float(), dim=(-2, -1)), dim=(-2, -1)) for x in (features, reference)
    )
    row, column = features.shape[-2] // 2, features.shape[-1] // 2
    low = (..., slice(max(row - 1, 0), row + 1), slice(max(column - 1, 0), column + 1))
    spectrum[low] = torch.where(spectrum[low].real > other[low].real, scale * spectrum[low], spectrum[low])
    damped: Tensor = torch.fft.ifftn(torch.fft.ifftshift(spectrum, dim=(-2, -1)), dim=(-2, -1)).real
    return damped.to(features.dtype)


@contextmanager
def latent_reattention(unet: Any, scales: Sequence[float]) -> Iterator[None]:
    """Damp the skip features of the prompts' rows against the references', in calls of [uncond | text | reference]."""

    def damp(scale: float) -> Any:
        def hook(
            module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            changed = []
            for skip in kwargs["res_hidden_states_tuple"]:
                uncond, text, reference = skip.chunk(3)
                changed.append(torch.cat([uncond, damp_low_frequencies(text, reference, scale), reference]))
            return args, {**kwargs, "res_hidden_states_tuple": tuple(changed)}

        return hook

    with ExitStack() as undo:
        for block, scale in zip(unet.up_blocks, scales, strict=False):
            undo.callback(block.register_forward_pre_hook(damp(scale), with_kwargs=True).remove)
        yield


REATTENTION_SCALES = (0.9, 0.2)


class Safree:
    """Draw with filtered token embeddings."""

    def __init__(self, pipe: Any, options: Options) -> None:
        self.pipe, self.options = pipe, options
        self.reader = StableDiffusionText(pipe)
        self.concepts = words_or_default(options.concepts)
        self.negative = as_texts(pipe, options.concepts) if options.with_negative_prompt else []
        tokens = self.reader.tokenizer(list(self.concepts), padding="max_length", truncation=True, return_tensors="pt")
        self.projection = span_projection(self._pooled(tokens.input_ids, tokens.attention_mask))

    @torch.no_grad()
    def _pooled(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return pooled embeddings (B, D): CLIP's own, else the mean over the words' tokens."""
        encoder = self.reader.encoder
        ids, mask = input_ids.to(encoder.device), attention_mask.to(encoder.device)
        output = encoder(input_ids=ids, attention_mask=mask)
        if "clip" in str(getattr(encoder.config, "model_type", "")):
            return output.pooler_output.float()  # type: ignore[no-any-return]
        weights = mask[..., None].float()
        mean: Tensor = (output.last_hidden_state.float() * weights).sum(1) / weights.sum(1)
        return mean

    def _masked(self, prompt: str) -> tuple[Tensor, list[int]]:
        """Return the pooled embeddings with one word's token masked at a time, (n, D), and the tokens' places."""
        tokens = self.reader.tokenizer([prompt], truncation=True, return_tensors="pt", return_special_tokens_mask=True)
        places = (tokens.special_tokens_mask[0] == 0).nonzero().flatten().tolist()
        ids = tokens.input_ids.repeat(len(places), 1)
        mask_id = self.reader.tokenizer.mask_token_id
        ids[range(len(places)), places] = 0 if mask_id is None else mask_id
        return self._pooled(ids, tokens.attention_mask.expand_as(ids)), places

    def filter(self, prompt: str, embeds: Tensor) -> tuple[Tensor, float]:
        """Return the filtered token embeddings (L, D), and the mean cosine of the tokens and their projections."""
        if self.reader.count_tokens(prompt) == self.reader.count_tokens(""):  # no word: there is nothing to filter
            return embeds, 1.0
        masked, places = self._masked(prompt)
        identity = torch.eye(len(self.projection), dtype=torch.float64, device=embeds.device)
        projected = embeds.double() @ span_projection(masked) @ (identity - self.projection)  # all are symmetric
        toxic = torch.zeros(len(embeds), dtype=torch.bool, device=embeds.device)
        toxic[places] = toxic_tokens(masked, self.projection, self.options.alpha)
        used = slice(0, places[-1] + 2)  # the prompt's tokens with the special ones around them
        similarity = cosine_similarity(projected[used], embeds[used].double()).mean().item()
        safe = torch.lerp(embeds, projected.to(embeds), self.options.strength)
        return torch.where(toxic[:, None], safe, embeds), similarity

    def __call__(
        self, prompts: Sequence[str], *, generators: Sequence[torch.Generator], **call: Any
    ) -> list[MethodPicture]:
        """Draw; see `Method`."""
        call = check_call(self.pipe, prompts, generators, call)
        negative = self._negative_embeds(call, len(prompts))
        embeds = self.reader.encode_for(call, list(prompts))[0]
        filtered = [self.filter(prompt, row) for prompt, row in zip(prompts, embeds, strict=True)]
        most = round(self.options.filtered_share * planned_steps(self.pipe, call))
        until = [
            filtered_steps(similarity, most) if self.options.self_validation else most for _, similarity in filtered
        ]

        def unfilter(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
            current = kwargs["prompt_embeds"].clone()  # [unconditional | prompts] under guidance
            for row, last in enumerate(until):
                if step + 1 > last:  # the next step hears the prompt itself
                    current[len(current) - len(prompts) + row] = embeds[row]
            return {"prompt_embeds": current}

        with self._reattention(call, embeds):
            return draw(
                self.pipe, prompts, generators, call, prompt=None, negative_prompt_embeds=negative,
                prompt_embeds=torch.stack([safe for safe, _ in filtered]),
                callback_on_step_end=unfilter, callback_on_step_end_tensor_inputs=["prompt_embeds"],
            )  # fmt: skip

    def _negative_embeds(self, call: dict[str, Any], count: int) -> Tensor | None:
        """Return the words as the negative prompt of `count` pictures, see `unsafe_words`; None without the option."""
        if not self.negative:
            return None
        need_guidance(self.pipe, call, "a negative prompt")
        if call.get("negative_prompt") is not None:
            raise InvalidInput("negative_prompt", "a text", "None with the option with_negative_prompt")
        _, embeds = self.reader.encode_for(call, [""] * len(self.negative), self.negative)
        return None if embeds is None else embeds.mean(0, keepdim=True).expand(count, -1, -1)

    @contextmanager
    def _reattention(self, call: dict[str, Any], embeds: Tensor) -> Iterator[None]:
        if not self.options.latent_reattention:
            yield
            return
        need_guidance(self.pipe, call, "latent re-attention")
        with (
            extra_rows(self.pipe, [embeds], lambda step, uncond, text, extras: text),
            latent_reattention(self.pipe.unet, REATTENTION_SCALES),
        ):
            yield

    def recipe(self) -> dict[str, Any]:
        """Settings, with the words that were used."""
        return {"method": "safree", **asdict(self.options), "concepts": list(self.concepts), "negative": self.negative}


def build(pipe: Any, options: Options) -> Method:
    """Return the method."""
    return Safree(pipe, options)
