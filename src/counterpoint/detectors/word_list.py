"""A second opinion without a model: the concepts' own words, inflected, disguised or misspelt.

It knows no synonyms, which `ConceptSimilarity` is for; but it reads "kn1fe", "k n i f e" and
"knfie" where an embedding may not. A word that is common in English is no misspelling: "brine" and
"train" are none of "brain". Harmless phrases excuse the words in them: the knife of "fork and knife".
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from counterpoint.detectors.concepts import DEFAULT_CONCEPTS, HARMLESS_PHRASES, NO_CONCEPTS, Concepts, joined
from counterpoint.detectors.english import is_english, singulars
from counterpoint.detectors.spelling import SHORTEST, allowed_edits, edit_distance
from counterpoint.interfaces import Detection
from counterpoint.normalise import normalise
from counterpoint.normalise.words import Reading, pauses, read


@dataclass(frozen=True)
class Hit:
    """Words `start` .. `end` - 1 of a prompt name a word of `category`."""

    start: int
    end: int
    category: str
    score: float
    """1 = the word itself, below = share of its letters that are spelt right."""


class WordList:
    """Gate by words.

    Args:
        concepts: Unsafe words and phrases by category.
        extra_concepts: Further ones, beside `concepts`: {"clowns": ["clown"]}.
        harmless: Phrases that hold an unsafe word and mean something else.

    Raises:
        InvalidInput: No concept is given, or one holds no letter.
    """

    def __init__(
        self,
        *,
        concepts: Concepts = DEFAULT_CONCEPTS,
        extra_concepts: Concepts = NO_CONCEPTS,
        harmless: Sequence[str] = HARMLESS_PHRASES,
    ) -> None:
        vocabulary = joined(concepts, extra_concepts)
        self.categories = tuple(vocabulary)
        self.phrases: dict[tuple[str, ...], str] = {}  # the words of a phrase -> its category
        for category, phrases in vocabulary.items():
            for phrase in phrases:
                self.phrases.setdefault(tuple(read(normalise(phrase))[0]), category)
        self.harmless = {tuple(read(normalise(phrase))[0]) for phrase in harmless} - self.phrases.keys()
        self.longest = max(map(len, [*self.phrases, *self.harmless]))

    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        """Return one verdict a prompt; a score is 1 for the word itself, 0.75..1 misspelt, 0 where none is found."""
        return [self._judge(prompt) for prompt in prompts]

    def _judge(self, prompt: str) -> Detection:
        text = normalise(prompt)
        words, readings = read(text)
        spans = _spans(words, self.longest)
        stops = pauses(text)  # no phrase goes on over a comma: "in the water, gun in hand"
        phrases = [span for span in spans if stops.isdisjoint(range(span.start + 1, span.end))]
        excused = {place for span in phrases if self._is_harmless(span) for place in range(span.start, span.end)}
        hits = [hit for span in spans if (hit := self._exact(span) or self._misspelt(span))]
        hits += [hit for reading in readings if (hit := self._exact(reading))]
        hits = [hit for hit in hits if not excused.issuperset(range(hit.start, hit.end))]
        scores = dict.fromkeys(self.categories, 0.0)
        for hit in hits:
            scores[hit.category] = max(scores[hit.category], hit.score)
        evidence = dict.fromkeys(" ".join(words[hit.start : hit.end]) for hit in _longest_apart(hits))
        return Detection(is_unsafe=bool(hits), score=max(scores.values()), categories=scores, evidence=tuple(evidence))

    def _is_harmless(self, span: Reading) -> bool:
        return any(words in self.harmless for words in _singular(span.text))

    def _exact(self, reading: Reading) -> Hit | None:
        for words in _singular(reading.text):
            if words in self.phrases:
                return Hit(reading.start, reading.end, self.phrases[words], 1.0)
        return None

    def _misspelt(self, span: Reading) -> Hit | None:
        """Find the word that this one, which no dictionary holds, may be meant for."""
        if len(span.text) < SHORTEST - 1 or " " in span.text or is_english(span.text):
            return None
        best: Hit | None = None
        for (word, *rest), category in self.phrases.items():
            if rest or abs(len(word) - len(span.text)) > allowed_edits(word):
                continue
            edits = edit_distance(span.text, word)
            score = 1 - edits / len(word)
            if edits <= allowed_edits(word) and (best is None or score > best.score):
                best = Hit(span.start, span.end, category, score)
        return best


def _spans(words: Sequence[str], longest: int) -> list[Reading]:
    """Return all runs of 1 to `longest` words."""
    return [
        Reading(start, start + size, " ".join(words[start : start + size]))
        for size in range(1, longest + 1)
        for start in range(len(words) - size + 1)
    ]


def _singular(text: str) -> Iterator[tuple[str, ...]]:
    """Return the words of `text`, as they are and with plurals made singular."""
    return itertools.product(*map(singulars, text.split()))


def _longest_apart(hits: Sequence[Hit]) -> list[Hit]:
    """Return hits that do not overlap, in the prompt's order; longer ones go first."""
    chosen: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: hit.start - hit.end):
        if all(hit.end <= other.start or other.end <= hit.start for other in chosen):
            chosen.append(hit)
    return sorted(chosen, key=lambda hit: hit.start)
