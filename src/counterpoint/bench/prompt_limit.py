"""Cut prompts at the text encoder's limit, for every method alike.

diffusers would cut them itself, while the gate refuses what it cannot read whole: cutting first lets
all methods see the same text. How many were cut stands in the report.
"""

from __future__ import annotations

from typing import Any

from counterpoint.families import family_of, readers, token_limit
from counterpoint.text_space import EncoderText


class PromptLimit:
    """The limit of one pipeline's encoders.

    Args:
        pipe: A pipeline of `counterpoint families`.

    Raises:
        InvalidInput: The pipeline is not supported.
    """

    def __init__(self, pipe: Any) -> None:
        family = family_of(pipe)
        pairs = readers(pipe, family)
        self._text = EncoderText(*pairs[0], max_tokens=token_limit(pipe, family), reader=pairs[-1][0])

    def cut(self, prompt: str) -> tuple[str, bool]:
        """Return as many whole words from the start as the encoders read, and whether any were cut off."""
        if self._fits(prompt):
            return prompt, False
        words = prompt.split()
        low, high = 1, len(words)  # the first word always stays; an encoder cuts within it if it must
        while low < high:
            middle = (low + high + 1) // 2
            if self._fits(" ".join(words[:middle])):
                low = middle
            else:
                high = middle - 1
        return " ".join(words[:low]), True

    def _fits(self, text: str) -> bool:
        return self._text.count_tokens(text) <= self._text.max_tokens
