"""Try safe embeddings in order and take the first that can say something; the report names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from counterpoint.interfaces import Detection, InvalidInput, SafeEmbedding, SafeText


class Auto:
    """Pick a safe embedding by the detection's strongest category.

    Args:
        by_category: Embeddings to try for a category, in order.
        otherwise: Embeddings to try for all other categories, in order; must not be empty.

    Raises:
        InvalidInput: There is nothing to fall back on.
    """

    def __init__(
        self, *, otherwise: Sequence[SafeEmbedding], by_category: Mapping[str, Sequence[SafeEmbedding]] | None = None
    ) -> None:
        if not otherwise:
            raise InvalidInput("otherwise", "no embedding", "at least one")
        self.otherwise = list(otherwise)
        self.by_category = dict(by_category or {})

    def __call__(self, prompt: str, detection: Detection) -> SafeText:
        """Return the first answer; `chosen` of the result names who gave it.

        Raises:
            ValueError: Every one refused; the message holds all their reasons.
        """
        strongest = max(detection.categories, key=lambda name: detection.categories[name], default="")
        reasons = []
        for embedding in [*self.by_category.get(strongest, ()), *self.otherwise]:
            try:
                answer = embedding(prompt, detection)
            except ValueError as error:
                reasons.append(f"{type(embedding).__name__}: {error}")
                continue
            return replace(answer, chosen=type(embedding).__name__)
        raise ValueError("; ".join(reasons))
