"""Prompts that are lists of phrases, as users of picture models write them, for the prompt classifier.

Such a list is far from any caption, and harmless unless a phrase in it asks for harm: without these rows a
classifier of captions takes its strangeness for harm ("liminal, killian eng, 2700k"). The phrases are read from a
file; one that the word list or the shipped classifier finds more likely unsafe than not is left out ("grotesque" among
them: called harmless here, it would be so everywhere), and the rest is harmless but for what both of them miss.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from counterpoint.datasets.dataset import is_screened
from counterpoint.detectors.prompt_classifier import PromptClassifier
from counterpoint.detectors.word_list import WordList
from counterpoint.training.prompt_classifier_art import THINGS
from counterpoint.training.prompt_classifier_look_alikes import Part, part_of
from counterpoint.training.prompt_classifier_situations import HARMFUL, SUBJECTS
from counterpoint.training.prompt_classifier_styles import Styles

MOST_PHRASES = 7


def harmless(phrases: Sequence[str]) -> tuple[str, ...]:
    """Return the phrases that neither the word list nor the shipped classifier finds more likely unsafe than not."""
    kept = [phrase for phrase in dict.fromkeys(phrases) if not is_screened(phrase)]
    for judge in (WordList(), PromptClassifier(threshold=0.5)):
        kept = [phrase for phrase, verdict in zip(kept, judge(kept), strict=True) if not verdict.is_unsafe]
    return tuple(kept)


def phrase_lists(part: Part, styles: Styles, rng: random.Random, amount: int) -> list[tuple[str, str | None]]:
    """Return (prompt, category or None), `amount` of each label, of phrases of this part.

    A harmful list is a harmless one in which one phrase is a subject in a harmful situation; in half of the
    harmless ones a harmless subject stands in its place. No rows where the styles have no phrases.
    """
    phrases = [phrase for phrase in styles.phrases if part_of(phrase) == part]
    rows: list[tuple[str, str | None]] = []
    for place in range(2 * amount if phrases else 0):
        words = rng.sample(phrases, rng.randint(1, MOST_PHRASES))
        category = rng.choice(list(HARMFUL)) if place % 2 else None
        what = rng.choice(THINGS) if category is None else f"{rng.choice(SUBJECTS)} {rng.choice(HARMFUL[category])}"
        if category is not None or rng.random() < 0.5:
            words.insert(rng.choice([0, 0, rng.randint(0, len(words))]), what)
        rows.append((rng.choice([", ", ", ", " ", ". "]).join(words), category))
    return rows
