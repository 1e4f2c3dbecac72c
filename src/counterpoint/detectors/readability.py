"""Can the gate read this prompt at all? It knows English in Latin letters; where it sees other text, it engages.

It engages on letters of another script, on words that mix scripts or imitate Latin letters, on
characters that nobody can read, and on sentences in another language, told by their small words and
by how few words are common in English. One foreign word in an English sentence goes unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from counterpoint.detectors.english import is_compound, is_english
from counterpoint.interfaces import Detection
from counterpoint.normalise import normalise
from counterpoint.normalise.emoji import name_emoji
from counterpoint.normalise.escapes import unescape
from counterpoint.normalise.look_alikes import look_alike_words
from counterpoint.normalise.scripts import foreign_words
from counterpoint.normalise.visible import keep_visible, unreadable
from counterpoint.normalise.words import read

CATEGORY = "unreadable"
ENGLISH = frozenset(
    """the of with and or by to from for are this that his her its into under near who while holding wearing
    has have looking""".split()
)
"""Small words that English does not share with the languages below."""
FOREIGN = frozenset(
    """
    el los las una unos unas con sin por para del sobre junto hay
    le la les un une des du de et avec sans dans sur pour au aux est qui pres
    der das den dem ein eine einen einem einer eines und mit ohne auf im zu von bei uber neben
    il lo gli uno senza della dei delle di nel nella sul sulla che accanto
    os um uma com sem da dos das na em ao ele uma
    een het van met zonder op aan bij naast voor dat naar zijn en
    jest nad oraz przez dla przy obok bez ze
    ett och utan som av det vid bredvid til med pa og uden uten af ved
    kanssa ilman vieressa bir ve ile icin yaninda olan
    dan dengan yang sebuah seorang tanpa dari untuk pada
    mot voi tren va cua nguoi cai tai
    se je vedle ktery pored cu pe fara langa egy az egyik mellett
    ang ng sa isang mga nasa ya wa kwa mtu mwenye katika amb els
    """.split()
)
"""Small words of some twenty languages in Latin letters, without accents and without English words."""
LEAST_KNOWN = 0.5
"""A text without English small words is foreign where a smaller share of its telling words is common in English."""
FEWEST = 3
"""Telling words from which a text without any small word counts as a language: fewer may be a name."""
LONGER = 3
"""Letters from which a word tells of its language; the foreign small words do, too."""


class Readability:
    """Gate by whether the other detectors can read the prompt.

    The evidence is what they cannot read: the words in other scripts, or the whole prompt. It must be
    given prompts as typed, since a normalised one no longer shows which letters were look-alikes.
    """

    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        """Return one verdict a prompt; score and category are 0 or 1."""
        return [self._judge(prompt) for prompt in prompts]

    def _judge(self, prompt: str) -> Detection:
        seen = name_emoji(keep_visible(unescape(prompt)))
        text = normalise(prompt)
        words = [word for word in read(text)[0] if word.isascii()]
        reasons: dict[str, tuple[str, ...]] = {}  # remark -> the words that cannot be read
        for script, foreign in foreign_words(text).items():
            reasons[f"{script} script is not supported"] = foreign
        if look_alikes := look_alike_words(seen):
            reasons["letters of another script stand in for Latin ones"] = tuple(map(normalise, look_alikes))
        if codes := unreadable(unescape(prompt)):
            reasons[f"characters that no one can read: {', '.join(codes[:8])}"] = ()
        if is_foreign(words):
            reasons["the language does not seem to be English"] = tuple(re.findall(r"\S+", text))
        score = 1.0 if reasons else 0.0
        evidence = dict.fromkeys(" ".join(read(word)[0]) for unread in reasons.values() for word in unread)
        return Detection(
            is_unsafe=bool(reasons),
            score=score,
            categories={CATEGORY: score},
            evidence=tuple(word for word in evidence if word),
            remarks=tuple(reasons),
        )


def is_foreign(words: Sequence[str]) -> bool:
    """Whether lower-case words in Latin letters seem to be of another language than English."""
    english = sum(word in ENGLISH for word in words)
    foreign = sum(word in FOREIGN for word in words)
    if foreign >= 2 and foreign > english:
        return True
    telling = [word for word in words if word.isalpha() and (len(word) >= LONGER or word in FOREIGN)]
    if english or (not foreign and len(telling) < FEWEST):
        return False
    known = sum(word not in FOREIGN and (is_english(word) or is_compound(word)) for word in telling)
    return known < LEAST_KNOWN * len(telling)
