"""Sexual content about minors: forbidden, whatever the safety level, before any model runs.

    if is_forbidden(prompt, negative_prompt=negative_prompt, safe_prompt=safe_prompt):
        ...  # refuse: no level, no option and no model changes that

How it must be called: first of all, on each prompt of a call together with its negative prompt and
its safe prompt, also where safety is 0 and where another detector is in use. It reads the normalised
texts itself. Text only: it looks at no picture.

It errs on the side of blocking. A text that names someone young and something sexual is forbidden
whatever ties the two, so "a nude statue beside a child" and "no minors, erotic" are blocked too, as
are infants in religious nudes; "girl" and "boy" count as young unless a compound or an age of 18 or
more says otherwise. It knows English, and the plainest words of some other languages; a text that
names neither age nor act passes, so it replaces neither the gate nor a look at the pictures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from counterpoint.detectors import minors_words as known
from counterpoint.detectors.english import is_english
from counterpoint.detectors.spelling import SHORTEST, allowed_edits, edit_distance
from counterpoint.interfaces import Detection
from counterpoint.normalise import normalise
from counterpoint.normalise.words import pauses, read

CATEGORY = "minors"
PAUSE = "¦"


def _any_of(pattern: str, anywhere: Sequence[str] = ()) -> re.Pattern[str]:
    """Compile a pattern that matches whole words, and texts that match anywhere."""
    return re.compile("|".join([rf"(?<!\w)(?:{pattern})(?!\w)", *map(re.escape, map(normalise, anywhere))]))


EXCUSED = _any_of(known.EXCUSED)
YOUNG = _any_of(f"{known.AGES}|{known.YOUNG}", anywhere=known.YOUNG_ANYWHERE)
SEXUAL = _any_of(known.SEXUAL, anywhere=known.SEXUAL_ANYWHERE)
ADULT = _any_of(known.ADULT)
CLOTHED = _any_of(known.CLOTHED)


def is_forbidden(prompt: str, *, negative_prompt: str | None = None, safe_prompt: str | None = None) -> bool:
    """Whether this call asks for sexual content about minors; see the module on how to call it.

    Args:
        prompt: One prompt, as typed or normalised.
        negative_prompt: What is to be pushed away; naming the young or the sexual there is its proper
            use, pushing away adults or clothes is judged with the prompt.
        safe_prompt: What the safe stream is told; its picture is mixed with the prompt's, so both are
            read as one text.

    Raises:
        InvalidInput: A text does not settle under normalisation; see `normalise`.
    """
    wanted = _heard(f"{prompt} . {safe_prompt or ''}")
    unwanted = _heard(negative_prompt or "")
    is_young = YOUNG.search(wanted) is not None
    is_sexual = SEXUAL.search(wanted) is not None
    makes_young = ADULT.search(unwanted) is not None
    undresses = CLOTHED.search(unwanted) is not None
    return (is_young and (is_sexual or undresses)) or (is_sexual and makes_young)


class Minors:
    """`is_forbidden` as a detector, so that a gate shows its verdict; the hard block stands before the gate."""

    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        """Return one verdict a prompt; score and category are 0 or 1."""
        return [self._judge(prompt) for prompt in prompts]

    def _judge(self, prompt: str) -> Detection:
        forbidden = is_forbidden(prompt)
        score = 1.0 if forbidden else 0.0
        remarks = ("sexual content about minors is never drawn",) if forbidden else ()
        return Detection(is_unsafe=forbidden, score=score, categories={CATEGORY: score}, remarks=remarks)


def _heard(text: str) -> str:
    """Return the words of `text`, what else they may be read as, and what misspelt ones mean, in lower case.

    Other readings stand between their neighbours: "twenty one-year-old" is no "one-year-old".
    """
    text = normalise(text)
    words, readings = read(text)
    stops = pauses(text)  # no excuse goes on over a comma: "nude, shades of grey"
    phrases = " ".join(f"{PAUSE} {word}" if place in stops else word for place, word in enumerate(words))
    others = [" ".join([*words[: r.start][-2:], r.text, *words[r.end :][:1]]) for r in readings]
    meant = [term for word in words for term in _meant(word)]
    return EXCUSED.sub(" ; ", " ; ".join([phrases, *others, *meant])).replace(f" {PAUSE} ", " ")


@lru_cache(maxsize=1 << 15)
def _meant(word: str) -> tuple[str, ...]:
    """Return the terms that a word in no dictionary may be a misspelling of."""
    if len(word) < SHORTEST - 1 or not word.isalpha() or is_english(word):
        return ()
    return tuple(term for term in known.SPELT if edit_distance(word, term) <= allowed_edits(term))
