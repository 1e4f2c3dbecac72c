"""A second opinion without a model: the concepts' own words, inflected, disguised, misspelt or tied to others.

It knows no synonyms, which `ConceptSimilarity` is for; but it reads "kn1fe", "k n i f e", "knfie" and
"manwithknife" where an embedding may not. A word that is common in English is no misspelling: "brine" and
"train" are none of "brain". Harmless phrases excuse the words in them: the knife of "fork and knife".
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from counterpoint.detectors.concepts import (
    DEFAULT_CONCEPTS,
    HARMLESS_PHRASES,
    NO_CONCEPTS,
    OTHER_NAMES,
    Concepts,
    joined,
)
from counterpoint.detectors.english import LONGEST, common_words, fewest_words, is_english, singulars, stems
from counterpoint.detectors.spelling import SHORTEST, edits_of_misspelling
from counterpoint.interfaces import Detection
from counterpoint.normalise import normalise
from counterpoint.normalise.words import Reading, pauses, read

LETTERS = re.compile(r"[a-z]{3,}")
"""What digits part in a word: "knifes4"."""
NO_TIES = frozenset(
    """
    alewine antwine beerbohm beerman beermann bloodgood bloodsaw bloodsworth bloodworth braintree brandywine goodwine
    gunby gunderman gundersen gunderson gundrum gundry gunness gunnell gunyan pillsbury trueblood
    wineberg winegar winegarden winegardner winehouse wineland wineman youngblood yellowknife
    bloodberry bloodfin bloodflower bloodleaf bloodroot bloodstone bloodweed bloodwood bloodworm bombus knifefish
    swordbill swordgrass swordtail guncotton
    aproach aproached aproaching
    """.split()
)
"""Names of people, places, animals, plants and stuffs, and slips: they hold an unsafe word, and `english` has none."""
Meaning = tuple[str, float]
"""A category, and a score as of `Hit`."""


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
        for name, phrase in OTHER_NAMES.items():
            if named := self.phrases.get(tuple(phrase.split())):
                self.phrases.setdefault(tuple(name.split()), named)
        self.harmless = {tuple(read(normalise(phrase))[0]) for phrase in harmless} - self.phrases.keys()
        self.longest = max(map(len, [*self.phrases, *self.harmless]))
        self.single = {words[0]: category for words, category in self.phrases.items() if len(words) == 1}
        long = sorted((word for word in self.single if len(word) >= SHORTEST), key=len, reverse=True)
        self.parts = re.compile(f"(?=({'|'.join(map(re.escape, long))}))") if long else None

    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        """Return one verdict a prompt; a score is 1 for the word itself, 0.75..1 misspelt, 0 where none is found."""
        return [self._judge(prompt) for prompt in prompts]

    def _judge(self, prompt: str) -> Detection:
        text = normalise(prompt)
        words, readings = read(text)
        spans = _spans(words, self.longest)
        excused = self._excused(spans, pauses(text))
        hits = [hit for hit in self._hits(spans, readings) if not excused.issuperset(range(hit.start, hit.end))]
        scores = dict.fromkeys(self.categories, 0.0)
        for hit in hits:
            scores[hit.category] = max(scores[hit.category], hit.score)
        evidence = dict.fromkeys(" ".join(words[hit.start : hit.end]) for hit in _longest_apart(hits))
        return Detection(is_unsafe=bool(hits), score=max(scores.values()), categories=scores, evidence=tuple(evidence))

    def _excused(self, spans: Sequence[Reading], stops: frozenset[int]) -> set[int]:
        """Return the places of harmless phrases; none goes on over a comma: "in the water, gun in hand"."""
        phrases = (span for span in spans if self._is_harmless(span))
        return {
            place
            for span in phrases
            if stops.isdisjoint(range(span.start + 1, span.end))
            for place in range(span.start, span.end)
        }

    def _is_harmless(self, span: Reading) -> bool:
        return any(words in self.harmless for words in _singular(span.text))

    def _hits(self, spans: Sequence[Reading], readings: Sequence[Reading]) -> Iterator[Hit]:
        """Find all concepts; each text is judged once, however often it comes."""
        whole = [reading for reading in readings if reading.end - reading.start in (1, len(reading.text))]
        meanings = {text: self._exact(text) for text in _texts(readings)}
        meanings |= {text: self._exact(text) or self._tied(text) for text in _texts(whole)}
        meanings |= {text: self._exact(text) or self._misspelt(text) or self._tied(text) for text in _texts(spans)}
        for reading in (*spans, *readings):
            if meaning := meanings[reading.text]:
                yield Hit(reading.start, reading.end, *meaning)

    def _exact(self, text: str) -> Meaning | None:
        return next(((self.phrases[words], 1.0) for words in _singular(text) if words in self.phrases), None)

    def _misspelt(self, text: str) -> Meaning | None:
        """Find the word that this one, which no dictionary holds, may be meant for."""
        if len(text) < SHORTEST - 1 or " " in text or is_english(text):
            return None
        edits = {word: edits_of_misspelling(text, word) for word in self.single}
        scores = [(self.single[word], 1 - count / len(word)) for word, count in edits.items() if count is not None]
        return max(scores, key=lambda meaning: meaning[1], default=None)

    def _tied(self, text: str) -> Meaning | None:
        """Find a concept in a word that no dictionary holds: "beermug", "manwithknife", "knifes4", "middlefinger"."""
        if " " in text or is_english(text) or not NO_TIES.isdisjoint(stems(text)):
            return None
        for letters in LETTERS.findall(text):
            if meaning := self._exact(letters) or self._in_one_word(letters):
                return meaning
        return None

    def _in_one_word(self, letters: str) -> Meaning | None:
        """Find a concept among the words that letters split into, or, where they do not, a long one as a part.

        English words come first: there is no knife in "penknifes", and no sword in "passwordbox".
        """
        words = fewest_words(letters, self._is_single)
        if len(words) > 1 and len(words[-1]) > 1 and "i" not in words:
            spans = _spans(words, self.longest)
            excused = self._excused(spans, frozenset())
            named = (self._exact(span.text) for span in spans if not excused.issuperset(range(span.start, span.end)))
            return next(filter(None, named), None)
        for part in self.parts.finditer(letters) if self.parts and not is_english(letters) else ():
            if not _is_in_longer(letters, *part.span(1)):
                return self.single[part[1]], 1.0
        return None

    def _is_single(self, word: str) -> bool:
        return any(singular in self.single for singular in singulars(word))


def _texts(readings: Iterable[Reading]) -> list[str]:
    return list(dict.fromkeys(reading.text for reading in readings))


def _is_in_longer(letters: str, start: int, end: int) -> bool:
    """Whether letters[start:end] is part of a longer English word there, and not its plural."""
    word = letters[start:end]
    return any(
        longer in common_words() and word not in stems(longer)
        for low in range(max(0, end - LONGEST), start + 1)
        for high in range(end, min(len(letters), low + LONGEST) + 1)
        if len(longer := letters[low:high]) > len(word)
    )


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
    taken: set[int] = set()
    for hit in sorted(hits, key=lambda hit: hit.start - hit.end):
        places = range(hit.start, hit.end)
        if taken.isdisjoint(places):
            chosen.append(hit)
            taken.update(places)
    return sorted(chosen, key=lambda hit: hit.start)
