"""Least-squares concept erasure of "unsafe" from the prompt's token embeddings (arXiv:2306.03819).

    s_l = c_l - P^+ (c_l - m)        for each token l that carries the prompt's words

The smallest change, in the data's own metric, after which no linear classifier tells unsafe tokens
from harmless ones. The fit is the authors' `concept-erasure` (MIT).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from counterpoint.interfaces import Detection, InvalidInput, SafeText, TextSpace

MIN_TEXTS = 2


class Leace:
    """Erase what tells unsafe texts from harmless ones, token by token.

    Args:
        text: Text space of the guarded pipeline.
        unsafe: Texts that hold the concept; whole prompts serve better than single words.
        harmless: Texts that do not, best the same ones with harmless words in place of the unsafe.

    Raises:
        InvalidInput: Fewer than two texts of a kind, or the extra `erase` is not installed.
    """

    def __init__(self, text: TextSpace, unsafe: Sequence[str], harmless: Sequence[str]) -> None:
        for name, texts in (("unsafe", unsafe), ("harmless", harmless)):
            if len(texts) < MIN_TEXTS:
                raise InvalidInput(name, f"{len(texts)} texts", f"at least {MIN_TEXTS}")
        fitter = _fitter()
        self.text = text
        tokens = [self._word_tokens(unsafe), self._word_tokens(harmless)]
        labels = torch.cat([torch.full((len(rows),), float(1 - kind)) for kind, rows in enumerate(tokens)])
        self.eraser = fitter.fit(torch.cat(tokens), labels).eraser

    def _word_tokens(self, texts: Sequence[str]) -> Tensor:
        embeds, mask = self.text.encode(texts)
        return embeds[mask].float().cpu()  # (N, D)

    @torch.no_grad()
    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return the erased token embeddings, (1, L, D); padding and special tokens are kept."""
        embeds, mask = self.text.encode([prompt])
        erased = self.eraser(embeds[0].float().cpu()).to(embeds)
        return SafeText(prompt_embeds=torch.where(mask[0][:, None], erased, embeds[0])[None])


def _fitter() -> Any:
    try:
        from concept_erasure import LeaceFitter
    except ImportError as error:
        raise InvalidInput("embedding", "leace", "an installed extra: pip install 'counterpoint[erase]'") from error
    return LeaceFitter
