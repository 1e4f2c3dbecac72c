"""Special tokens typed as text: tokenizers turn them into the real ones, which end or mask a prompt.

A detector that reads the state at the end token is blind for all that follows a typed one, while the
denoiser attends to every token. Only tokens that some tokenizer has are dropped, by their names: of
"<|knife|>" the encoder reads the word, so the gate has to.
"""

from __future__ import annotations

import re

NAMES = (
    r"endoftext|startoftext|endofprompt|padding|pad|unk|bos|eos|cls|sep"  # CLIP, GPT
    r"|im_start|im_end|im_sep|eot_id|eom_id|begin_of_text|end_of_text|start_header_id|end_header_id"  # Qwen, Llama
    r"|vision_start|vision_end|vision_pad|image_pad|video_pad|fim_prefix|fim_middle|fim_suffix|fim_pad"
)
SPECIAL_TOKEN = re.compile(
    rf"(?:<\|(?:{NAMES})\|>"
    r"|</?s>|<(?:pad|unk|bos|eos|cls|sep)>|<extra_id_\d{1,3}>|<(?:start|end)_of_turn>"  # RoBERTa, T5, Llama, Gemma
    r"|\[(?:cls|sep|pad|unk|bos|eos|img)\])+",  # BERT, Mistral's pictures
    re.IGNORECASE,
)
"""Without the mask token, which ends and hides nothing: "mask" is a thing that can be drawn."""
BARS = re.compile(r"<+\|+|\|+>+")


def drop_special_tokens(text: str) -> str:
    """Drop special tokens: "a cat<|endoftext|> asleep" -> "a cat asleep".

    Of what only looks like one the brackets go: "<|asleep|>" -> "asleep". Between two letters a hyphen
    stays in their place: what is one word without it, and what are two words, can both still be read.
    """
    for dropped in (SPECIAL_TOKEN, BARS):
        text = drop(dropped, text)
    return text


def drop(pattern: re.Pattern[str], text: str) -> str:
    """Return `text` without what `pattern` matches, with a hyphen in place of it between letters or digits."""
    return pattern.sub(lambda match: _hyphen_between_letters(text, match.start(), match.end()), text)


def _hyphen_between_letters(text: str, start: int, end: int) -> str:
    between = text[start - 1 : start].isalnum() and text[end : end + 1].isalnum()
    return "-" if between else ""
