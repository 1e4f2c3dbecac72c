"""Sexual content about minors: forbidden, whatever the safety level, before any model runs.

    if is_forbidden(prompt, negative_prompt=negative_prompt, safe_prompt=safe_prompt):
        ...  # refuse: no level, no option and no model changes that

How it must be called: first of all, on each prompt of a call together with its negative prompt and
its safe prompt, also where safety is 0 and where another detector is in use. It reads the normalised
texts itself. Text only: it looks at no picture.

It errs on the side of blocking. A text that names someone young and something sexual is forbidden
whatever ties the two, so "a nude statue beside a child" and "no minors, erotic" are blocked too, as
are infants in religious nudes; "girl" and "boy" count as young unless a compound or an age of 18 or
more says otherwise, and so do characters who are young in their stories. Clothes and gestures of
grown ones (a miniskirt, parted lips) are forbidden beside who is surely young, by an age or a word
such as "teen", anywhere in the text; "girl", "boy" and characters are drawn grown up, too. It knows
English, and the plainest words of some other languages; a text that names nobody young or nothing
sexual passes, so it replaces neither the gate nor a look at the pictures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from counterpoint.detectors import minors_words as known
from counterpoint.detectors.english import common_words, is_english
from counterpoint.detectors.spelling import SHORTEST, allowed_edits, edit_distance
from counterpoint.interfaces import Detection
from counterpoint.normalise import normalise
from counterpoint.normalise.words import Reading, pauses, read

CATEGORY = "minors"
PAUSE = "¦"
LONGEST_WORD = 64
"""Letters up to which a word is cut into English ones: it bounds the work, and no longer one is read by a person."""
LONGEST_PART = 14
PARTED_AGE = re.compile(r"(?<!\d)(?<!\d\s)([1-9]) 0(?=\s*-?\s*years?\b)")
"""A round age whose digits stand apart, as old tools wrote prompts: "3 0 - year - old". "2 9 year olds" are two."""


def _any_of(pattern: str, anywhere: Sequence[str] = ()) -> re.Pattern[str]:
    """Compile a pattern that matches whole words, and texts that match anywhere."""
    return re.compile("|".join([rf"(?<!\w)(?:{pattern})(?!\w)", *map(re.escape, map(normalise, anywhere))]))


EXCUSED = _any_of(known.EXCUSED)
SURELY_YOUNG = _any_of(f"{known.AGES}|{known.YOUNG}", anywhere=known.YOUNG_ANYWHERE)
TAKEN_FOR_YOUNG = _any_of(f"{known.GIRL_OR_BOY}|{known.CHARACTERS}")
EVERYDAY = _any_of(known.EVERYDAY)
SUGGESTIVE = _any_of(known.SUGGESTIVE)
SEXUAL = _any_of(f"{known.UNDRESS}|{known.SEXUAL}", anywhere=known.SEXUAL_ANYWHERE)
ADULT = _any_of(known.ADULT)
CLOTHED = _any_of(known.CLOTHED)
SCANTY = _any_of(known.SCANTY)
UPPER, LOWER = _any_of(known.UPPER), _any_of(known.LOWER)
GLUED_YOUNG, GLUED_SEXUAL = re.compile(known.GLUED_YOUNG), re.compile(known.GLUED_SEXUAL)
GLUED = re.compile(f"{known.GLUED_SEXUAL}|{known.GLUED_YOUNG}")
GLUED_STRONG = re.compile(known.GLUED_STRONG)
LONGEST_SPELT = max(len(term) + allowed_edits(term) for term in known.SPELT)


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
    phrases = _heard(f"{prompt} . {safe_prompt or ''}")
    wanted, unwanted = _in_one(phrases), _in_one(_heard(negative_prompt or ""))
    is_surely_young = SURELY_YOUNG.search(wanted) is not None
    is_young = is_surely_young or TAKEN_FOR_YOUNG.search(wanted) is not None
    is_sexual = SEXUAL.search(wanted) is not None
    is_suggestive = SUGGESTIVE.search(wanted) is not None
    makes_young = ADULT.search(unwanted) is not None
    # over a pause, words for everyday things say something else: "on wet stairs, dress rehearsal"
    is_everyday = is_surely_young and EVERYDAY.search(phrases) is not None
    is_about_the_young = is_young and (is_sexual or is_suggestive or is_everyday or _undresses(unwanted))
    return is_about_the_young or (is_sexual and makes_young)


def _undresses(unwanted: str) -> bool:
    """Whether pushing this away takes people's clothes off."""
    if CLOTHED.search(unwanted) or (UPPER.search(unwanted) and LOWER.search(unwanted)):
        return True
    return SCANTY.search(unwanted) is not None and SEXUAL.search(unwanted) is None


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

    A pause between phrases is kept, as `PAUSE`; see `_in_one`.

    Other readings stand between their neighbours: "twenty one-year-old" is no "one-year-old". That of
    "isn't" as "isnt" says nothing new, and would be cut off from the end of "isn't dressed warmly".
    """
    text = PARTED_AGE.sub(r"\g<1>0", normalise(text))
    words, readings = read(text)
    stops = pauses(text)  # no excuse goes on over a comma: "nude, shades of grey"
    phrases = " ".join(f"{PAUSE} {word}" if place in stops else word for place, word in enumerate(words))
    others = [_between(words, reading) for reading in readings if reading.text not in known.NEGATIONS]
    meant = [term for word in words for term in _meant(word)]
    glued = [_unglued(word) for word in (*words, *(reading.text for reading in readings))]
    heard = " ; ".join([phrases, *others, *meant, *filter(None, glued)])
    return EXCUSED.sub(" ; ", heard)


def _in_one(phrases: str) -> str:
    """Return what was heard without its pauses: "naked, child" and "naked child" are alike."""
    return phrases.replace(f" {PAUSE} ", " ")


def _between(words: list[str], reading: Reading) -> str:
    before = words[max(0, reading.start - 2) : reading.start]
    return " ".join([*before, reading.text, *words[reading.end : reading.end + 1]])


def _meant(word: str) -> tuple[str, ...]:
    """Return the terms that a word in no dictionary may be a misspelling of."""
    if not SHORTEST - 1 <= len(word) <= LONGEST_SPELT or not word.isalpha():
        return ()
    return _respelt(word)


@lru_cache(maxsize=1 << 15)
def _respelt(word: str) -> tuple[str, ...]:
    if is_english(word) or word in known.NOT_RESPELT:
        return ()
    return tuple(term for term in known.SPELT if _is_misspelling(word, term))


def _is_misspelling(word: str, term: str) -> bool:
    edits = allowed_edits(term)
    is_near = abs(len(word) - len(term)) <= edits and len(set(term) - set(word)) <= edits  # quick, for long texts
    return is_near and edit_distance(word, term) <= edits


def _unglued(word: str) -> str:
    """Return "naked girl" for "nakedgirl", and nothing for a word that holds no such term or is an English one."""
    parted = GLUED.sub(r" \g<0> ", word)
    if parted == word or word.removesuffix("s") in known.WHOLE:
        return ""
    is_short = len(word) <= LONGEST_WORD
    if is_short and is_english(word):
        return ""
    is_both = GLUED_YOUNG.search(parted) and GLUED_SEXUAL.search(parted)
    return parted if is_both or (is_short and _is_made_of_words(parted)) else ""


def _is_made_of_words(parted: str) -> bool:
    """Whether a term that counts alone stands here with English words: "naked body", but not "kid man"."""
    parts = parted.split()
    return any(map(GLUED_STRONG.fullmatch, parts)) and all(GLUED.fullmatch(part) or _is_words(part) for part in parts)


def _is_words(text: str) -> bool:
    """Whether `text` can be cut into English words and numbers."""
    ends = [0]
    for end in range(1, len(text) + 1):
        if any(_is_part(text[start:end]) for start in ends if end - start <= LONGEST_PART):
            ends.append(end)
    return ends[-1] == len(text)


def _is_part(text: str) -> bool:
    if len(text) < 3:  # most of the short ones in the list are no words
        return text.isdecimal() or text in known.GLUED_REST
    return text in common_words() or text.removesuffix("s") in common_words()
