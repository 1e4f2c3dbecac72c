"""What the safe stream is told: asked of the safe embedding for each engaged prompt, and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from counterpoint.embeddings.safe_prompt import SafePrompt
from counterpoint.interfaces import (
    CounterpointError,
    Detection,
    InvalidInput,
    SafeEmbedding,
    SafeText,
    SafetyFailure,
)
from counterpoint.text_space import EncoderText


def safe_texts(
    engaged: Mapping[int, tuple[str, Detection]],
    embedding: SafeEmbedding,
    *,
    text_space: EncoderText,
    is_unsafe: Callable[[str], bool],
) -> dict[int, SafeText]:
    """Return the safe text, or the safe token embeddings, of each engaged prompt.

    Args:
        engaged: Prompt and verdict, by the prompt's index.
        embedding: What to ask.
        text_space: Says how long a text may be.
        is_unsafe: The gate; a safe text has to pass it, too, unless it keeps the prompt by design.

    Raises:
        InvalidInput: The caller's own safe prompt is too long, or the gate calls it unsafe.
        SafetyFailure: The embedding failed, or gave nothing that can be used: nothing is drawn.
    """
    safe: dict[int, SafeText] = {}
    for index, (prompt, detection) in engaged.items():
        try:
            safe[index] = embedding(prompt, detection)
            _check(safe[index], embedding, text_space, is_unsafe)
        except CounterpointError:
            raise
        except Exception as error:
            message = f"the safe embedding failed ({type(error).__name__}: {error}); nothing is drawn"
            raise SafetyFailure(message) from error
    return safe


def _check(safe: SafeText, embedding: SafeEmbedding, text_space: EncoderText, is_unsafe: Callable[[str], bool]) -> None:
    if safe.prompt_embeds is not None:
        if not bool(torch.isfinite(safe.prompt_embeds).all()):
            raise SafetyFailure("the safe embedding holds NaN or infinity; nothing is drawn")
        return
    if not safe.prompt:
        raise SafetyFailure("the safe embedding gave neither a text nor embeddings")
    text_space.check_length("safe_prompt", safe.prompt)
    if safe.keeps_prompt or not is_unsafe(safe.prompt):
        return
    if isinstance(embedding, SafePrompt):
        raise InvalidInput("safe_prompt", "a text that the gate calls unsafe", "a text that it does not")
    raise SafetyFailure("the safe embedding gave a text that the gate calls unsafe; give a safe_prompt")
