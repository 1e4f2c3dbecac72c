"""Take words out of an English sentence so that what is left reads on: with their noun phrase and what ties it in.

"A cook holding a very sharp knife in a room" without "knife" is "a cook in a room"; but "a man beside a nude model"
without "nude" is "a man beside a model". There is no parser here: short lists of English and the words' endings tell
a thing from what describes it. Where they err, the sentence is worse English; no word that was to go stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from counterpoint.embeddings.phrase_words import (
    DEGREE,
    DESCRIPTION,
    DETERMINER,
    DOING,
    DONE,
    END,
    HELD,
    IS,
    NO_ARTICLE,
    PREPOSITION,
    QUALITY,
    STANDS,
    TIE,
    WITHIN,
)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


NEAR = 80
"""Characters on either side of a word that tell what goes with it: the whole text each time would take minutes."""
QUALITY_WORD = _compiled(QUALITY)
QUALITY_BEFORE = _compiled(
    rf"(?<!\w)(?:(?:(?:{TIE}|and|or)\s+{DETERMINER}|{DETERMINER}\s+\w+ing|{TIE}|and|or|{DETERMINER}|{IS})\s+{DEGREE}?"
    rf"|{DEGREE})$"
)
THING_BEFORE = _compiled(
    rf"(?<!\w)(?:(?:{TIE}|and|or)\s+{DETERMINER}\s+{DESCRIPTION}|{NO_ARTICLE}"
    rf"|(?:(?:{TIE}|and|or)\s+)?(?:{DETERMINER}\s+)?)$"
)
FIRST_BEFORE = _compiled(rf"^\s*{DETERMINER}\s+(?P<description>{DESCRIPTION})$")
OWNER_BEFORE = _compiled(rf"(?:(?<=\w)'s|(?<=s)')\s+{WITHIN}{{0,2}}$")
DEGREE_BEFORE = _compiled(rf"(?<!\w){DEGREE}+$")
ARTICLE_BEFORE = _compiled(r"(?<!\w)an?\s+$")
TIED = _compiled(rf"{TIE}(?=\s)")
END_AFTER = _compiled(END)
HELD_AFTER = _compiled(rf"^{HELD}")
OBJECT_AFTER = _compiled(rf"\s+{DETERMINER}\s")
AND_A_THING_AFTER = _compiled(rf"^\s+and(?=\s+(?!{DOING}\b|\w+s\s+(?:{PREPOSITION}|{DETERMINER})\b))")
TIE_AFTER = _compiled(r"^\s+(?:next to|near|beside|and|or|with)\b")
"""What ties a thing to what stands after it, where nothing stands before it."""
HEADLESS = _compiled(rf"(?:{PREPOSITION}|{DOING}|{STANDS}|{DONE}(?=$| {PREPOSITION}))\b")
"""How a sentence begins that has no subject."""
VERB_ENDINGS = ("ing", "s", "ed")


def removed(text: str, spans: Sequence[str], stand_in: str = "scene") -> str:
    """Return a text without words, their noun phrases, and what ties them in.

    >>> removed("a cook holding a very sharp knife in a room", ["knife"])
    'a cook in a room'
    >>> removed("an old knife lies on a table", ["knife"])
    'an old scene lies on a table'

    Args:
        text: English, with single spaces.
        spans: The words.
        stand_in: The noun of a sentence that loses its own, but not what describes it.

    Raises:
        ValueError: Some words do not stand there, or would come to stand there by removing others.
    """
    untouched = len(text)
    for start, end in reversed(_places(text, spans)):
        end = min(end, untouched)
        if start < end:  # else it went with another: "a (sexy) black dress"
            first, last = max(0, start - NEAR), end + NEAR
            before, after = _without(text[first:start], text[start:end], text[end:last], stand_in)
            untouched = first + len(before)
            text = f"{text[:first]}{before} {after}{text[last:]}"
    text = _tidy(text)
    if stays := next((span for span in spans if _standing(text, span)), None):
        raise _irremovable(stays)
    return text


def _standing(text: str, span: str) -> list[tuple[int, int]]:
    words = r"[\W_]+".join(map(re.escape, span.split()))
    return [match.span() for match in re.finditer(rf"(?<!\w){words}s?(?!\w)", text, flags=re.IGNORECASE)]


def _irremovable(span: str) -> ValueError:
    return ValueError(f"the words {span!r} could not be removed; give a safe_prompt")


def _places(text: str, spans: Sequence[str]) -> list[tuple[int, int]]:
    """Return where words stand in a text, in order; those that touch or have but an article between are one place."""
    found: list[tuple[int, int]] = []
    for span in spans:
        at = _standing(text, span)
        if not at:
            raise _irremovable(span)
        found += at
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and re.fullmatch(rf"-|\s*(?:{DETERMINER}\s+)?", text[merged[-1][1] : start], re.IGNORECASE):
            start, end = merged[-1][0], max(end, merged.pop()[1])
        merged.append((start, end))
    return merged


def _without(before: str, words: str, after: str, stand_in: str) -> tuple[str, str]:
    """Return what is left on both sides of words."""
    before = re.sub(r"(?<!\w)\w+-$", "", before)  # "half-naked", "skull-shaped", "boxer's"
    after = re.sub(r"^(?:-\w+)+|^'s?(?!\w)", "", after)
    last = words.split()[-1]
    plain = QUALITY_BEFORE.sub("", before)
    if last.endswith(VERB_ENDINGS) and OBJECT_AFTER.match(after) and re.search(r"\w\s*$", plain):
        return plain, f"and{after}"  # "a wolf killing a deer"
    if not END_AFTER.match(after):
        return _described(before, after)
    if QUALITY_WORD.search(last):
        before = plain
    elif plain != before or not TIED.match(words):  # else "a man (smoking a cigarette)"
        before, after = _without_thing(before, HELD_AFTER.sub("", after), stand_in)
    return before, after if before.strip() else TIE_AFTER.sub("", after)


def _without_thing(before: str, after: str, stand_in: str) -> tuple[str, str]:
    """Return both sides of the noun that ends its phrase, without the rest of the phrase and its tie."""
    first = FIRST_BEFORE.search(before)
    if OWNER_BEFORE.search(before):
        return OWNER_BEFORE.sub("", before), after
    if first and first["description"] and not TIE_AFTER.match(after) and re.match(r"\s+\w", after):
        return _described(before, f"{stand_in}{after}")
    if first:
        return "", after
    kept = THING_BEFORE.sub("", before)
    tie = TIED.match(before, len(kept))
    if tie and AND_A_THING_AFTER.match(after):  # "with (a gun and) a hat"
        return kept + tie[0], AND_A_THING_AFTER.sub("", after)
    return kept, after


def _described(before: str, after: str) -> tuple[str, str]:
    """Return both sides of a word that described the next one; the article before fits what follows now."""
    before, follows = DEGREE_BEFORE.sub("", before), after.lstrip()
    if follows[:1].isalpha():
        before = ARTICLE_BEFORE.sub("an " if follows[0] in "aeiouAEIOU" else "a ", before)
    return before, after


def _tidy(text: str) -> str:
    """Return a text without the gaps that words leave behind: "a chef , , a room" -> "a chef, a room"."""
    text = re.sub(r"\s+([,.;:!?])", r"\1", re.sub(r"\s+", " ", text))
    text = re.sub(r",(?:\s*,)+", ",", text).strip(" ,")
    return re.sub(r"^(?:and|or)\s+", "", text)
