"""Special tokens typed as text: tokenizers turn them into the real ones, which end or mask a prompt.

A detector that reads the state at the end token is blind for all that follows a typed one, while the
denoiser attends to every token.
"""

from __future__ import annotations

import re

SPECIAL_TOKEN = re.compile(
    r"(?:<\|[\w\s]{0,32}\|>"  # CLIP, GPT
    r"|</?s>|<(?:pad|unk|mask|bos|eos|cls|sep)>|<extra_id_\d{1,3}>"  # RoBERTa, T5, Llama
    r"|\[(?:cls|sep|pad|mask|unk|bos|eos|img)\])+",  # BERT, Mistral's pictures
    re.IGNORECASE,
)


def drop_special_tokens(text: str) -> str:
    """Drop special tokens: "a cat<|endoftext|> asleep" -> "a cat asleep".

    Between two letters a hyphen stays in their place: what is one word without it, and what are
    two words, can both still be read.
    """
    return SPECIAL_TOKEN.sub(lambda match: hyphen_between_letters(text, match.start(), match.end()), text)


def hyphen_between_letters(text: str, start: int, end: int) -> str:
    """Return what takes the place of text[start:end]: "-" between letters or digits, else nothing."""
    between = text[start - 1 : start].isalnum() and text[end : end + 1].isalnum()
    return "-" if between else ""
