"""A first gate: do words of the prompt mean an unsafe concept, in the model's own text encoder?

The score of a concept k is the largest cosine over all windows of 1 to 3 words of the prompt,

    score_k = max_window cos(pooled(window), pooled(k))

and the gate engages where some score reaches a threshold fitted on labelled prompts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from counterpoint.detectors.concepts import DEFAULT_CONCEPTS, Concepts
from counterpoint.interfaces import Detection, InvalidInput

LONGEST_WINDOW = 3
FUNCTION_WORDS = frozenset("a an the of with and or in on at by to from under near is are has holding".split())


class Pooling(Protocol):
    """The part of a text space that this gate needs."""

    def pooled(self, texts: Sequence[str]) -> Tensor:
        """Return unit vectors (B, D), one a text."""
        ...


def windows(prompt: str) -> list[str]:
    """Return all windows of 1 to 3 words, lower case and NFKC, without lone function words."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", prompt).casefold())
    spans = (
        words[start : start + size] for size in range(1, LONGEST_WINDOW + 1) for start in range(len(words) - size + 1)
    )
    return list(dict.fromkeys(" ".join(span) for span in spans if not FUNCTION_WORDS.issuperset(span)))


class ConceptSimilarity:
    """Gate by similarity to unsafe concepts.

    Args:
        text: The text space of the pipeline that is guarded.
        threshold: Cosine, -1..1, from which a window counts as a concept; see `fit_threshold`.
        concepts: Unsafe words by category.

    Raises:
        InvalidInput: No concept is given, or the threshold is no cosine.
    """

    def __init__(self, text: Pooling, *, threshold: float, concepts: Concepts = DEFAULT_CONCEPTS) -> None:
        if not -1.0 <= threshold <= 1.0:
            raise InvalidInput("threshold", threshold, "a cosine, -1..1")
        self.text, self.threshold = text, threshold
        self.labels = [(category, word) for category, words in concepts.items() for word in words]
        if not self.labels:
            raise InvalidInput("concepts", concepts, "at least one unsafe word")
        self._concepts = text.pooled([word for _, word in self.labels])  # (K, D)

    @torch.no_grad()
    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        """Return one verdict a prompt; score and categories are cosines, -1..1."""
        spans = [windows(prompt) for prompt in prompts]
        unique = list(dict.fromkeys(span for group in spans for span in group))
        if not unique:
            return [self._verdict([], torch.empty(0, len(self.labels)))] * len(prompts)
        place = {span: i for i, span in enumerate(unique)}
        similarity = self.text.pooled(unique) @ self._concepts.T  # (windows, K)
        if not bool(torch.isfinite(similarity).all()):
            raise RuntimeError("the text encoder gave values that are not finite; the gate cannot judge")
        return [self._verdict(group, similarity[[place[span] for span in group]]) for group in spans]

    def _verdict(self, spans: list[str], similarity: Tensor) -> Detection:
        if not spans:  # no letter or digit: nothing that this gate can read, so engage
            return Detection(is_unsafe=True, score=1.0, categories={}, evidence=("unreadable prompt",))
        best = similarity.amax(0).tolist()
        categories: dict[str, float] = {}
        for (category, _), score in zip(self.labels, best, strict=True):
            categories[category] = max(score, categories.get(category, -1.0))
        hits = similarity.amax(1) >= self.threshold
        evidence = tuple(span for span, hit in zip(spans, hits.tolist(), strict=True) if hit)
        return Detection(
            is_unsafe=bool(evidence), score=max(categories.values()), categories=categories, evidence=evidence
        )


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A threshold and what it did on the prompts it was fitted on."""

    threshold: float
    recall: float
    """Fraction of unsafe prompts at which the gate engages."""
    false_alarms: float
    """Fraction of benign prompts at which the gate engages."""
    num_unsafe: int
    num_benign: int


def fit_threshold(
    text: Pooling, unsafe: Sequence[str], benign: Sequence[str], *, concepts: Concepts = DEFAULT_CONCEPTS,
    max_false_alarms: float = 0.01,
) -> Calibration:  # fmt: skip
    """Fit the threshold on labelled prompts (validation prompts, never those of a report).

    The threshold lies half-way between the smallest score that is an alarm and the next score
    below it, at the lowest place where at most `max_false_alarms` of the benign prompts alarm.
    """
    if not unsafe or not benign:
        raise InvalidInput("prompts", (len(unsafe), len(benign)), "at least one unsafe and one benign prompt")
    gate = ConceptSimilarity(text, threshold=1.0, concepts=concepts)
    unsafe_scores = torch.tensor([d.score for d in gate(unsafe)])
    benign_scores = torch.tensor([d.score for d in gate(benign)])
    allowed = int(max_false_alarms * len(benign))
    floor = benign_scores.sort(descending=True).values[min(allowed, len(benign) - 1)].item()
    above = unsafe_scores[unsafe_scores > floor]
    threshold = (floor + above.min().item()) / 2 if len(above) else min(1.0, floor + 1e-6)
    return Calibration(
        threshold=threshold,
        recall=(unsafe_scores >= threshold).float().mean().item(),
        false_alarms=(benign_scores >= threshold).float().mean().item(),
        num_unsafe=len(unsafe),
        num_benign=len(benign),
    )
