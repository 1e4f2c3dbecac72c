"""The model families that SafePipeline wraps: one file each, plain data, tested one by one.

The engine needs no table of models, and it fails closed; the list is what was tried. A family says
where the gate reads, how long a prompt may be, and what the pipeline's result is called. Adding one
is one file with a `FAMILY`, and a tiny pipeline in the tests.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal

from counterpoint.families.unsupported import UNSUPPORTED, reason_against
from counterpoint.interfaces import EngineName, InvalidInput

EMBEDDINGS = re.compile(r"(negative_)?(pooled_)?prompt_(embeds|attention_mask|embeds_mask|cu_seqlens)(_[a-z0-9]+)?")
"""Arguments with which diffusers pipelines take text that is encoded already."""
FURTHER_PROMPTS = re.compile(r"prompt_\d")
"""Arguments with which they take another prompt for another encoder."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Pipelines that encode text in the same way."""

    name: str
    """As people call it."""
    pipelines: tuple[str, ...]
    """Classes of diffusers, each one tested; their subclasses count as well."""
    encoders: tuple[tuple[str, str], ...] = (("tokenizer", "text_encoder"),)
    """Components (tokenizer, text encoder). The gate reads with the first that is there; the last one that
    is there reads the longest prompts and sets their limit."""
    template_tokens: int = 0
    """Tokens of the limit that the pipeline's own template takes."""
    max_tokens: int | None = None
    """Tokens that the pipeline reads where no argument of its call says it; None = what the tokenizer says."""
    reads_with: Literal["any encoder", "ChatGLM"] = "any encoder"
    """How the gate reads: as any encoder of transformers is read, or as Kolors' own."""
    packs_latents: bool = False
    """Whether the latents are packed, where the class has no method that says so."""
    channels_last: bool = False
    """Whether the denoiser's channels come last, where no local map looks for them."""
    fixed_arguments: tuple[str, ...] = ()
    """Further arguments that would change the text after the gate has read it: left at their default."""
    reference_pipelines: tuple[str, ...] = ()
    """Classes that the reference engine runs, too, and with it parallel streams."""
    takes_embeddings: bool = False
    """Whether a safe embedding may give token embeddings, and not only text."""
    output: str = "images"
    """Field of the pipeline's result."""
    num_per_prompt: str = "num_images_per_prompt"
    """Argument that says how many results one prompt has."""
    note: str = ""
    """What a user should know."""

    def engines(self, classes: Sequence[str]) -> tuple[EngineName, ...]:
        """Return the engines that run a pipeline of these classes (its own and those above it), the default first."""
        return ("fused", "reference") if set(classes) & set(self.reference_pipelines) else ("fused",)

    @property
    def is_video(self) -> bool:
        """Whether a result is a list of frames, and no picture."""
        return self.output == "frames"

    def own_arguments(self, pipeline: type) -> set[str]:
        """Return the arguments that a safe call does not take: the gate has to read all the text."""
        names = inspect.signature(pipeline.__call__).parameters
        text = {name for name in names if EMBEDDINGS.fullmatch(name) or FURTHER_PROMPTS.fullmatch(name)}
        return text | {name for name in self.fixed_arguments if name in names}


@cache
def families() -> tuple[Family, ...]:
    """Return all families, by file name."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    return tuple(module.FAMILY for module in modules if hasattr(module, "FAMILY"))


def classes_of(pipe: Any) -> list[str]:
    """Return the names of a pipeline's class and of those above it."""
    return [cls.__name__ for cls in type(pipe).__mro__]


def family_of(pipe: Any) -> Family:
    """Return the family of a pipeline.

    Raises:
        InvalidInput: The pipeline's class, or a part of it, is not supported; the message says why.
    """
    for name in classes_of(pipe):
        for family in families():
            if name in family.pipelines:
                _check_parts(pipe, family)
                return family
        if name in UNSUPPORTED:
            raise InvalidInput("pipe", type(pipe).__name__, f"another pipeline: {UNSUPPORTED[name]}")
    allowed = ", ".join(sorted(name for family in families() for name in family.pipelines))
    why = reason_against(type(pipe))
    raise InvalidInput(
        "pipe", type(pipe).__name__, f"a pipeline of `counterpoint families`: {allowed}; this one: {why}"
    )


def _check_parts(pipe: Any, family: Family) -> None:
    if getattr(pipe, "scheduler", None) is None:
        raise InvalidInput("pipe", type(pipe).__name__, "a pipeline with a scheduler")
    if not any(_is_there(pipe, names) for names in family.encoders):
        wanted = " or ".join(" and ".join(names) for names in family.encoders)
        raise InvalidInput("pipe", type(pipe).__name__, f"a pipeline with its {wanted}: the gate has to read")


def _is_there(pipe: Any, names: tuple[str, str]) -> bool:
    return all(getattr(pipe, name, None) is not None for name in names)


def readers(pipe: Any, family: Family) -> list[tuple[Any, Any]]:
    """Return the (tokenizer, encoder) pairs that the pipeline has, in the family's order."""
    return [(getattr(pipe, t), getattr(pipe, e)) for t, e in family.encoders if _is_there(pipe, (t, e))]


def packs_latents(pipe: Any) -> bool:
    """Whether the pipeline packs its latents, (B, C, H, W) into a row of patches (B, L, C), as FLUX does."""
    return hasattr(type(pipe), "_pack_latents") or family_of(pipe).packs_latents


def token_limit(pipe: Any, family: Family) -> int | None:
    """Return the tokens that a prompt may have; None = the tokenizer's own limit."""
    parameter = inspect.signature(type(pipe).__call__).parameters.get("max_sequence_length")
    default = None if parameter is None else parameter.default
    limit = family.max_tokens if default is None else int(default)
    return None if limit is None else limit - family.template_tokens
