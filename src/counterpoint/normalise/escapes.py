"""HTML entities and percent escapes, as web clients send them and as some pipelines undo them.

Most pipelines undo none: of "&dagger;" their encoder reads the word. So only what escapes stand for in
ordinary text is undone and nothing else: letters with accents, digits, spaces, plain punctuation. What
else is named is read both ways, undone and as typed.
"""

from __future__ import annotations

import html
import re
import string
from urllib.parse import unquote_to_bytes

from counterpoint.normalise.visible import keep_visible

ENTITY = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\s<&#;]{1,32};?)")
"""As HTML 5 reads them: the semicolon may lack, and letters may follow ("&timestable")."""
PERCENT = re.compile(r"(?:%[0-9a-f]{2})+", re.IGNORECASE)
CHUNK = re.compile(r"\S+")
PLAIN_MARKS = frozenset(string.punctuation + string.whitespace + "\u00a0‘’“”‚„‹›«»–—…·¡¿") - frozenset("`^$")
"""What names of entities say nothing to a reader about; "grave", "hat" and "dollar" are things, too."""
ACCENTED = re.compile(
    r"&([A-Za-z]{1,2})(?:grave|acute|circ|tilde|uml|ring|cedil|slash|lig|caron|breve|macr|dot|ogon|strok|dblac|midot);"
)
WORD = re.compile(r"[^\W_]+")
LAST_LATIN = "\u024f"
SPELLS = re.compile(r"[A-Za-z]{2}")
"""An escape without two letters in a row holds no word."""


def unescape(text: str) -> str:
    """Undo one layer of escapes: "kn&#105;fe" and "kn%69fe" -> "knife", but "a &dagger;" -> "a † dagger".

    Percent signs that do not spell UTF-8 stay, so that "100%" and "50%de" keep theirs.
    """
    return CHUNK.sub(lambda match: _undone(match[0]), text)


def _undone(chunk: str) -> str:
    """Return a text without spaces undone, and behind it, where escapes may hold words, its words as typed."""
    undone = PERCENT.sub(_percent, ENTITY.sub(_entity, chunk))
    if undone == chunk:
        return chunk
    typed = PERCENT.sub(_unless_a_word, ENTITY.sub(_unless_a_word, chunk))
    return undone if typed == undone else f"{undone} {'-'.join(WORD.findall(typed))}"


def _entity(match: re.Match[str]) -> str:
    return html.unescape(match[0])


def _percent(match: re.Match[str]) -> str:
    try:
        return unquote_to_bytes(match[0]).decode("utf-8")
    except UnicodeDecodeError:
        return match[0]


def _unless_a_word(match: re.Match[str]) -> str:
    """Return an escape undone, or, where it may hold a word or part of one that its meaning does not, as typed."""
    escape = match[0]
    undone = _percent(match) if escape[0] == "%" else _entity(match)
    # "%6bomb" and "&#x6bomb" spell "komb", and hold another word.
    runs_on = escape[-1].isalpha() and match.string[match.end() : match.end() + 1].isalpha()
    if undone == escape or (not runs_on and (not SPELLS.search(escape) or _is_plain(escape, undone))):
        return undone
    return escape


def _is_plain(escape: str, undone: str) -> bool:
    if not undone or (escape[0] == "&" and escape[-1] != ";"):
        return False
    if PLAIN_MARKS.issuperset(undone):
        return True
    letters = keep_visible(undone)
    if escape[0] == "%" or escape[1] == "#":
        return max(undone) <= LAST_LATIN and letters.isascii() and letters.isalnum()
    accented = ACCENTED.fullmatch(escape)
    return accented is not None and accented[1] == letters
