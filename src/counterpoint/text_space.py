"""A pipeline's own text encoder as detectors and safe embeddings see it.

`EncoderText` reads with any tokenizer and encoder; `StableDiffusionText` also gives the token
embeddings that the picture is drawn from, for pipelines with one of each (Stable Diffusion 1.x and
2.x, the embedded model). `counterpoint.families` says what reads in which pipeline.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from counterpoint.interfaces import InvalidInput

BATCH_SIZE = 256
PROBED = 64
"""Values of each weight that an encoder's fingerprint holds."""


class EncoderText:
    """Text space of one tokenizer and one text encoder; they are read, never changed.

    Args:
        tokenizer: A tokenizer of transformers, or a processor that holds one.
        encoder: Its text encoder, or a language model whose hidden states serve as one.
        max_tokens: Tokens that the pipeline reads of a prompt; the reader's own limit holds as well.
        reader: The tokenizer that the limit counts in, where another encoder reads more than this one.
        device: Says where the encoder takes its tokens; None = where its weights are. The two differ where an
            offloaded pipeline keeps them elsewhere between calls.
    """

    def __init__(
        self,
        tokenizer: Any,
        encoder: Any,
        *,
        max_tokens: int | None = None,
        reader: Any = None,
        device: Callable[[], torch.device] | None = None,
    ) -> None:
        self.tokenizer = _tokenizer_of(tokenizer)
        self.encoder = encoder
        self._device = device
        self._has_head = False  # found out at the first reading, so that no later one is done twice
        self.reader = self.tokenizer if reader is None else _tokenizer_of(reader)
        own = int(self.reader.model_max_length)
        self.max_tokens = own if max_tokens is None else min(max_tokens, own)

    @property
    def fingerprint(self) -> str:
        """Class, width, number of parameters and a hash of some weights: what a threshold was fitted for."""
        config = getattr(self.encoder.config, "text_config", self.encoder.config)
        width = getattr(config, "hidden_size", None) or config.d_model
        count = sum(parameter.numel() for parameter in self.encoder.parameters())
        return f"{type(self.encoder).__name__}-{width}-{count}-{_weights_hash(self.encoder)}"

    @property
    def device(self) -> torch.device:
        """Where the encoder takes its tokens."""
        device: torch.device = self._device() if self._device is not None else self.encoder.device
        return device

    def count_tokens(self, text: str) -> int:
        """Number of tokens of `text`, special ones included."""
        return len(self.reader(text).input_ids)

    def check_length(self, field: str, *texts: str) -> None:
        """Raise InvalidInput where a text is none, or the encoder would cut it off, so that the gate saw more."""
        for text in texts:
            try:
                text.encode("utf-8")
            except UnicodeEncodeError:  # lone surrogates: how Python spells bytes that are no UTF-8
                raise InvalidInput(field, text, "text; this holds bytes or surrogates that are no character") from None
        for ids in self.reader(list(texts)).input_ids:
            if len(ids) > self.max_tokens:
                raise InvalidInput(
                    field, f"{len(ids)} tokens", f"at most {self.max_tokens} tokens, the encoder's limit"
                )

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special ones included, cut off where the encoder cuts off."""
        ids: list[list[int]] = self.tokenizer(list(texts), max_length=self._limit, truncation=True).input_ids
        return ids

    @torch.no_grad()
    def pooled(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors (B, D) on the CPU: mean over the words' tokens of each text read alone."""
        parts = []
        for start in range(0, len(texts), BATCH_SIZE):
            tokens = self._tokenize(texts[start : start + BATCH_SIZE], padding="longest").to(self.device)
            hidden = self._hidden(tokens.input_ids, tokens.attention_mask)  # (B, L, D)
            mask = self._word_mask(tokens).to(hidden)[..., None]  # (B, L, 1)
            mean = (hidden * mask).sum(1) / mask.sum(1).clamp_min(1)
            parts.append(torch.nn.functional.normalize(mean.float(), dim=-1).cpu())
        return torch.cat(parts)

    def _hidden(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        if not self._has_head:
            output = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
            self._has_head = getattr(output, "last_hidden_state", None) is None  # a language model
        if self._has_head:
            output = self.encoder(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
        hidden: Tensor = output.hidden_states[-1] if self._has_head else output.last_hidden_state
        return hidden

    def _tokenize(self, texts: Sequence[str], padding: str) -> Any:
        return self.tokenizer(
            list(texts), padding=padding, max_length=self._limit, truncation=True, return_tensors="pt",
            return_special_tokens_mask=True,
        )  # fmt: skip

    @property
    def _limit(self) -> int:
        return min(int(self.tokenizer.model_max_length), self.max_tokens)

    @staticmethod
    def _word_mask(tokens: Any) -> Tensor:
        mask: Tensor = tokens.attention_mask.bool() & ~tokens.special_tokens_mask.bool()
        return mask


def _tokenizer_of(part: Any) -> Any:
    """Return the tokenizer that a processor holds; a tokenizer, which may have a part of that name, is one itself."""
    return part if hasattr(part, "model_max_length") else part.tokenizer


def _weights_hash(encoder: Any) -> str:
    """Return 12 digits of a hash over the first values of each weight; order and names do not count.

    They are hashed in bfloat16: an encoder stored in half precision, as most are, is the same one in float32, float16
    and bfloat16. One that was trained on is another; so may be one stored in float32 once it is cast to float16,
    which rounds twice: better refused than taken for what it is not.
    """
    values = (weight.detach().flatten()[:PROBED].to(torch.bfloat16).cpu() for weight in _weights(encoder))
    parts = {value.view(torch.uint8).numpy().tobytes() for value in values}  # a set: tied weights count once
    return hashlib.sha256(b"".join(sorted(parts))).hexdigest()[:12]


def _weights(encoder: Any) -> Iterator[Tensor]:
    for module in encoder.modules():
        for name, weight in module.named_parameters(recurse=False):
            yield weight if weight.device.type != "meta" else _offloaded(module, name)


def _offloaded(module: Any, name: str) -> Tensor:
    """Return a weight that sequential offload keeps outside of the module between calls."""
    hook = module._hf_hook
    weights = next(one.weights_map for one in getattr(hook, "hooks", [hook]) if getattr(one, "weights_map", None))
    weight: Tensor = weights[name]
    return weight


class ChatGlmText(EncoderText):
    """Text space of Kolors: ChatGLM answers (L, B, D), and its tokenizer pads no mask of special tokens."""

    def _hidden(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return super()._hidden(input_ids, attention_mask).transpose(0, 1)

    def _tokenize(self, texts: Sequence[str], padding: str) -> Any:
        tokens = self.tokenizer(
            list(texts), padding=padding, max_length=self._limit, truncation=True, return_tensors="pt"
        )
        special = torch.tensor([*self.tokenizer.get_prefix_tokens(), self.tokenizer.pad_token_id])
        tokens["special_tokens_mask"] = torch.isin(tokens.input_ids, special)
        return tokens


class StableDiffusionText(EncoderText):
    """Text space of a pipeline with `tokenizer`, `text_encoder` and `encode_prompt`.

    Args:
        pipe: The pipeline; it is read, never changed.

    Raises:
        InvalidInput: The pipeline has no such parts, or more than one of each.
    """

    def __init__(self, pipe: Any) -> None:
        needed = ("tokenizer", "text_encoder", "encode_prompt")
        missing = [name for name in needed if getattr(pipe, name, None) is None]
        if missing or getattr(pipe, "text_encoder_2", None) is not None:
            raise InvalidInput(
                "pipe", type(pipe).__name__, "a pipeline with one tokenizer and one text encoder, as SD 1.x and 2.x"
            )
        super().__init__(pipe.tokenizer, pipe.text_encoder, device=lambda: pipe._execution_device)
        self.pipe = pipe

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Encode as the pipeline does: token embeddings (B, L, D), mask of the words' tokens (B, L)."""
        embeds, _ = self.pipe.encode_prompt(
            prompt=list(texts), device=self.pipe._execution_device, num_images_per_prompt=1,
            do_classifier_free_guidance=False,
        )  # fmt: skip
        tokens = self._tokenize(texts, padding="max_length")
        return embeds, self._word_mask(tokens).to(embeds.device)

    @torch.no_grad()
    def encode_for(
        self, call: dict[str, Any], prompt: str | list[str], negative_prompt: Any = None
    ) -> tuple[Tensor, Tensor | None]:
        """Encode as this call of the pipeline would: (B, L, D) each, the second None where guidance is off."""
        default = inspect.signature(type(self.pipe).__call__).parameters["guidance_scale"].default
        with_guidance = call.get("guidance_scale", default) > 1.0
        attention = call.get("cross_attention_kwargs") or {}
        embeds, negative = self.pipe.encode_prompt(
            prompt=prompt,
            device=self.pipe._execution_device,
            num_images_per_prompt=1,
            do_classifier_free_guidance=with_guidance,
            negative_prompt=negative_prompt,
            lora_scale=attention.get("scale"),
            clip_skip=call.get("clip_skip"),
        )
        return embeds, negative if with_guidance else None
