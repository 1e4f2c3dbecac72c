"""Who people are, left out of what is read: "a gay couple cooking dinner" -> "a couple cooking dinner".

Who somebody is says nothing of harm. But texts of harm name the groups that it strikes, so that whoever learns from
them comes to alarm on the groups themselves, and a steered picture may then lack the very people who were asked for.
A detector that reads without these words judges what is done, whoever does it, alike.

Words that mean other things, too ("black", "old", "Polish"), are left out only before a person.
"""

from __future__ import annotations

import re

from counterpoint.detectors import groups_words as words

STAND_INS = frozenset({"person", "people"})
"""What a group is read as."""
_GROUPS = "|".join((words.ORIGINS, words.FAITHS, words.LOVES, words.BODIES, words.FLIGHT)).replace(" ", "[ -]")
_BEFORE = re.compile(
    rf"\b(?:(an?) )?(?:(?:{_GROUPS})(?!\w)(?![ -]{words.NAMES})[ ,-]{{1,2}}(?:(?:and|or) )?){{1,4}}"
    rf"(?=(?:[^\W\d_]{{1,20}}[ -]){{0,2}}(?:{words.PERSONS})\b)",
    re.IGNORECASE,
)
"""A group's words before a person, at most two words between them: "an old Turkish tea seller"."""
AN = re.compile(r"(?!u(?:ni|se|ro)|one|eu)[aeiou]|hon(?:e|or|our)|hour|heir", re.IGNORECASE)
"""Starts of words that follow "an"."""
_NOUN = re.compile(rf"\b(?:(an?) )?(?:(?:{words.NOUNS})(s)?|(?:{words.PLURALS})(s))\b", re.IGNORECASE)
_STANDING = re.compile(rf",? ?\b(?:{words.STANDING}|{words.SEATED}|{words.COVERED})\b", re.IGNORECASE)


def without_groups(text: str) -> str:
    """Return a normalised prompt without the words that say only who people are; as it is where it holds none.

    >>> without_groups("an Asian woman and two refugees in a park")
    'a woman and two people in a park'
    >>> without_groups("a black cat beside an old car")
    'a black cat beside an old car'
    """
    return _NOUN.sub(_person, _BEFORE.sub(_article, _STANDING.sub("", text)))


def _article(match: re.Match[str]) -> str:
    """Return the article that fits what follows, where there was one."""
    if match[1] is None:
        return ""
    return "an " if AN.match(match.string, match.end()) else "a "


def _person(match: re.Match[str]) -> str:
    if match[2] or match[3]:
        return "people"
    return "a person" if match[1] else "person"
