"""A first gate: do words of the prompt mean an unsafe concept, in the model's own text encoder?

The score of a concept k is the largest cosine over the windows of 1 to 3 words of the prompt,

    score_k = max_window cos(pooled(window), pooled(k))

and the gate engages where some score reaches a threshold fitted on labelled prompts. A window that
lies in one that means a harmless thing is left out: the knife of "fork and knife" is no weapon.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from counterpoint.detectors.concepts import DEFAULT_CONCEPTS, HARMLESS_PHRASES, NO_CONCEPTS, Concepts, joined
from counterpoint.detectors.english import FUNCTION_WORDS
from counterpoint.interfaces import Detection, InvalidInput
from counterpoint.normalise import normalise
from counterpoint.normalise.words import Reading, pauses, read

LONGEST_WINDOW = 3
MOST_KNOWN = 4096
"""Windows whose vectors are kept: words come again, and so do whole prompts. 6 MB at a width of 384."""
HARMLESS_COSINE = 0.9
"""Cosine from which a window means a harmless phrase."""
MARGIN = 0.1
"""Where a fitted threshold lies between the benign and the unsafe scores: 0 = at the benign ones."""
TIE = 1e-4
"""Cosines that differ by no more are one score: the same words read in another batch differ by rounding."""


class Pooling(Protocol):
    """The part of a text space that this gate needs."""

    def pooled(self, texts: Sequence[str]) -> Tensor:
        """Return unit vectors (B, D), one a text."""
        ...


@dataclass(frozen=True)
class Window:
    """Words `start` .. `end` - 1 of a prompt."""

    start: int
    end: int
    text: str
    """What they may be read as."""
    surface: str
    """The words as they stand in the prompt."""
    is_phrase: bool
    """Whether no comma or full stop parts them: "water, gun" is none."""

    def holds(self, other: Window) -> bool:
        """Whether `other` lies in this window, ends included."""
        return self.start <= other.start and other.end <= self.end


def windows(prompt: str) -> list[Window]:
    """Return all windows of 1 to 3 words, lower case, that start and end with a content word.

    What else a person may read in the prompt, such as "k n i f e" and "kn1fe", adds windows.
    """
    text = normalise(prompt)
    words, readings = read(text)
    stops = pauses(text)
    plain = [
        Reading(start, start + size, " ".join(words[start : start + size]))
        for size in range(1, LONGEST_WINDOW + 1)
        for start in range(len(words) - size + 1)  # function words at its ends would only blur its meaning
        if FUNCTION_WORDS.isdisjoint((words[start], words[start + size - 1]))
    ]
    return [
        Window(r.start, r.end, r.text, " ".join(words[r.start : r.end]), stops.isdisjoint(range(r.start + 1, r.end)))
        for r in plain + readings
    ]


def best_apart(hits: Sequence[tuple[Window, float]]) -> tuple[str, ...]:
    """Return the words of the best windows that do not overlap, in the prompt's order.

    "mug of beer" goes before "beer", which is as good and shorter; "beer" before "man with beer".
    """
    chosen: list[Window] = []
    for window, _ in sorted(hits, key=lambda hit: (-round(hit[1], 3), hit[0].start - hit[0].end)):
        if all(window.end <= other.start or other.end <= window.start for other in chosen):
            chosen.append(window)
    return tuple(dict.fromkeys(window.surface for window in sorted(chosen, key=lambda window: window.start)))


class ConceptSimilarity:
    """Gate by similarity to unsafe concepts.

    Args:
        text: The text space of the pipeline that is guarded.
        threshold: Cosine, -1..1, from which a window counts as a concept; see `fit_threshold`.
        concepts: Unsafe words by category.
        extra_concepts: Further unsafe words by category, beside `concepts`: {"clowns": ["clown"]}.
        harmless: Phrases that hold or resemble an unsafe word and mean something else.

    Raises:
        InvalidInput: No concept is given, one is an empty text, or the threshold is no cosine.
    """

    def __init__(
        self,
        text: Pooling,
        *,
        threshold: float,
        concepts: Concepts = DEFAULT_CONCEPTS,
        extra_concepts: Concepts = NO_CONCEPTS,
        harmless: Sequence[str] = HARMLESS_PHRASES,
    ) -> None:
        if not -1.0 <= threshold <= 1.0:
            raise InvalidInput("threshold", threshold, "a cosine, -1..1")
        self.text, self.threshold = text, threshold
        self.labels = [
            (category, word) for category, words in joined(concepts, extra_concepts).items() for word in words
        ]
        self._concepts = text.pooled([word for _, word in self.labels])  # (K, D)
        self._harmless = text.pooled(list(harmless)) if harmless else None  # (H, D)
        self._known: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        """Return one verdict a prompt; score and categories are cosines, -1..1."""
        groups = [windows(prompt) for prompt in prompts]
        unique = list(dict.fromkeys(window.text for group in groups for window in group))
        if not unique:
            return [self._verdict([], torch.empty(0, len(self.labels)), torch.empty(0))] * len(prompts)
        place = {text: i for i, text in enumerate(unique)}
        pooled = self._pooled(unique)
        unsafe = (pooled @ self._concepts.T).clamp(-1, 1)  # (windows, K)
        harmless = torch.full((len(unique),), -1.0)
        if self._harmless is not None:
            harmless = (pooled @ self._harmless.T).amax(1)  # (windows,)
        if not bool(torch.isfinite(unsafe).all()):
            raise RuntimeError("the text encoder gave values that are not finite; the gate cannot judge")
        rows = [[place[window.text] for window in group] for group in groups]
        return [self._verdict(g, unsafe[r], harmless[r]) for g, r in zip(groups, rows, strict=True)]

    def _pooled(self, texts: Sequence[str]) -> Tensor:
        """Return the vectors (B, D) of different texts, each of which the encoder reads once while it is kept."""
        known = {text: self._known.pop(text) for text in texts if text in self._known}
        if new := [text for text in texts if text not in known]:
            known.update(zip(new, map(torch.clone, self.text.pooled(new)), strict=True))
        self._known.update(known)  # what was asked for last stands last
        for text in list(itertools.islice(self._known, max(0, len(self._known) - MOST_KNOWN))):
            del self._known[text]
        return torch.stack([known[text] for text in texts])

    def _verdict(self, group: list[Window], unsafe: Tensor, harmless: Tensor) -> Detection:
        means_harmless = (harmless >= HARMLESS_COSINE) & (harmless > unsafe.amax(1)) if group else harmless
        excuses = [
            w for w, is_harmless in zip(group, means_harmless.tolist(), strict=True) if is_harmless and w.is_phrase
        ]
        kept = [i for i, window in enumerate(group) if not any(excuse.holds(window) for excuse in excuses)]
        if not kept:
            # No letter or digit: nothing that this gate can read, so engage. All excused: harmless.
            return Detection(is_unsafe=not group, score=0.0 if group else 1.0)
        unsafe = unsafe[kept]
        categories: dict[str, float] = {}
        for (category, _), score in zip(self.labels, unsafe.amax(0).tolist(), strict=True):
            categories[category] = max(score, categories.get(category, -1.0))
        scores = zip([group[i] for i in kept], unsafe.amax(1).tolist(), strict=True)
        evidence = best_apart([(window, score) for window, score in scores if score >= self.threshold])
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
    text: Pooling,
    unsafe: Sequence[str],
    benign: Sequence[str],
    *,
    concepts: Concepts = DEFAULT_CONCEPTS,
    harmless: Sequence[str] = HARMLESS_PHRASES,
    max_false_alarms: float = 0.01,
) -> Calibration:
    """Fit the threshold on labelled prompts (validation prompts, never those of a report).

    The threshold is low, for words that no calibration prompt holds: it lies `MARGIN` of the way from
    the benign score that at most `max_false_alarms` of the benign prompts exceed to the next unsafe one.
    Unsafe scores that tie with that benign one are given up; at a score of 1 no threshold lies above it,
    and the false alarms that are returned exceed the limit.
    """
    if not unsafe or not benign:
        raise InvalidInput("prompts", (len(unsafe), len(benign)), "at least one unsafe and one benign prompt")
    gate = ConceptSimilarity(text, threshold=1.0, concepts=concepts, harmless=harmless)
    unsafe_scores = torch.tensor([d.score for d in gate(unsafe)])
    benign_scores = torch.tensor([d.score for d in gate(benign)])
    allowed = int(max_false_alarms * len(benign))
    floor = benign_scores.sort(descending=True).values[min(allowed, len(benign) - 1)].item()
    above = unsafe_scores[unsafe_scores > floor + TIE]
    margin = max(MARGIN * (above.min().item() - floor), TIE / 2) if len(above) else TIE
    threshold = min(1.0, floor + margin)
    return Calibration(
        threshold=threshold,
        recall=(unsafe_scores >= threshold).float().mean().item(),
        false_alarms=(benign_scores >= threshold).float().mean().item(),
        num_unsafe=len(unsafe),
        num_benign=len(benign),
    )
