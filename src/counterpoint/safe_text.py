"""What the safe stream is told: asked of the safe embedding for each engaged prompt, and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

from counterpoint.detectors import negative_prompt
from counterpoint.embeddings.auto import Auto
from counterpoint.embeddings.neutral import Neutral
from counterpoint.embeddings.safe_prompt import SafePrompt
from counterpoint.embeddings.safety_context import SafetyContext
from counterpoint.embeddings.word_removal import WordRemoval
from counterpoint.interfaces import (
    CounterpointError,
    Detection,
    InvalidInput,
    SafeEmbedding,
    SafeText,
    SafetyFailure,
)
from counterpoint.normalise import normalise
from counterpoint.normalise.words import read
from counterpoint.text_space import EncoderText

MOST_ROUNDS = 3
"""How often a safe embedding is asked anew about its own answer before the call fails."""


def standard_embedding() -> Auto:
    """Return the safe embedding as it stands by default.

    The prompt without what the gate engaged on; where it named no words, a scene that holds nothing
    of the prompt. A prompt that is unsafe by its negative prompt alone keeps its words.
    """
    return Auto(by_category={negative_prompt.CATEGORY: [SafetyContext()]}, otherwise=[WordRemoval(), Neutral()])


def safe_texts(
    engaged: Mapping[int, tuple[str, Detection]],
    embedding: SafeEmbedding,
    *,
    text_space: EncoderText,
    detect: Callable[[str], Detection],
) -> dict[int, SafeText]:
    """Return the safe text, or the safe token embeddings, of each engaged prompt.

    A text that the gate still calls unsafe goes back to the embedding, with the gate's new verdict,
    up to `MOST_ROUNDS` times in all; where the embedding may choose, a neutral scene stands at the end.

    Args:
        engaged: Prompt and verdict, by the prompt's index.
        embedding: What to ask.
        text_space: Says how long a text may be.
        detect: The gate; a safe text has to pass it, too, unless it keeps the prompt by design.

    Raises:
        InvalidInput: The caller's own safe prompt is too long, or the gate calls it unsafe.
        SafetyFailure: The embedding failed, or gave nothing that can be used: nothing is drawn.
    """
    safe: dict[int, SafeText] = {}
    for index, (prompt, detection) in engaged.items():
        try:
            safe[index] = _safe_text(prompt, detection, embedding, text_space, detect)
        except CounterpointError:
            raise
        except Exception as error:
            message = f"the safe embedding failed ({type(error).__name__}: {error}); nothing is drawn"
            raise SafetyFailure(message) from error
    return safe


def _safe_text(
    prompt: str,
    detection: Detection,
    embedding: SafeEmbedding,
    text_space: EncoderText,
    detect: Callable[[str], Detection],
) -> SafeText:
    for _ in range(MOST_ROUNDS):
        safe = embedding(prompt, detection)
        if safe.prompt_embeds is not None:
            if not bool(torch.isfinite(safe.prompt_embeds).all()):
                raise SafetyFailure("the safe embedding holds NaN or infinity; nothing is drawn")
            return safe
        if not safe.prompt:
            raise SafetyFailure("the safe embedding gave neither a text nor embeddings")
        text_space.check_length("safe_prompt", safe.prompt)
        if safe.keeps_prompt:
            return safe
        verdict = detect(safe.prompt)
        if not verdict.is_unsafe:
            return safe
        if isinstance(embedding, SafePrompt):
            unsafe = "a text that the gate calls unsafe"
            raise InvalidInput("safe_prompt", unsafe, "a text that the gate does not call unsafe")
        prompt, detection = safe.prompt, verdict
    if isinstance(embedding, Auto):  # words were left out, and what remains still means harm
        neutral = Neutral()(prompt, detection)
        if neutral.prompt and not detect(neutral.prompt).is_unsafe:
            return replace(neutral, chosen=Neutral.__name__)
    raise SafetyFailure("the safe embedding gave a text that the gate calls unsafe; give a safe_prompt")


def words_to_keep(text: SafeText, prompt: str, detection: Detection) -> str:
    """Return the words that lead to the safe picture: of the safe text, or of the prompt where it is token embeddings.

    What the gate engaged on is none of them: who pushes that away helps.
    """
    harm = {word for span in detection.evidence for word in normalise(span).casefold().split()}
    return " ".join(word for word in read(normalise(text.prompt or prompt))[0] if word not in harm)
