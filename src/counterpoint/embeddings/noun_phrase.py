"""Take words out of an English sentence so that what is left reads on: with their noun phrase and what ties it in.

"A cook holding a very sharp knife in a room" without "knife" is "a cook in a room"; but "a man beside a nude model"
without "nude" is "a man beside a model". There is no parser here: short lists of English and the words' endings tell
a thing from what describes it. Where they err, the sentence is worse English; no word that was to go stays.
"""

from __future__ import annotations

import re

DETERMINERS = r"(?:an?|the|some|his|her|its|their|my|your|two|three|four|five|six|several|many|both|another|one|no|\d+)"
NOUNS_IN_ING = r"(?:paint|draw|build|cloth|even|morn|lightn|ceil|wedd|str|th|r|k|w)ings?"
ING = rf"(?!{NOUNS_IN_ING}\b)\w+ing"
DONE = r"(?:(?!\w*shaped)\w{3,}ed|stuck|hung|held|hidden)"
ADVERBS = r"(?:(?:in|out)(?:side|doors)|(?:up|down)(?:town|stairs)|underwater|underground|overhead|here|there|nearby)"
PREPOSITIONS = (
    r"(?:with|without|next to|near|beside|behind|by|in|on|at|of|from|into|under|over|through|against|for|around|inside)"
)
VERBS = r"(?:(?:who |that )?(?:has|have|holds?|wears?|carry|carries|wields?|shows?)|there (?:is|are))"
TIES = rf"(?:{PREPOSITIONS}|{ING}|{VERBS}|and|or)"
"""What ties a thing to what stands before it: "with", "holding", "and", "there is"."""
BREAKS = rf"(?:{TIES}|{DETERMINERS}|is|are|was|were|who|that|which|while|there|to)"
"""No word within a noun phrase, after its first."""
DESCRIPTION = rf"{DETERMINERS}\s+(?:\w+ing\s+)?(?:(?!{BREAKS}\b)[\w'-]+\s+){{0,3}}"
"""The words of a noun phrase before its noun: "a very sharp"."""
QUALITY = re.compile(
    r"(?:ing|ed|less|ous|ic|nude|naked|topless|dead|brutal|sexual|provocative|seductive|obscene|bloody|gory|grisly|sexy"
    r"|busty|skimpy|dirty|filthy|lusty|horny|curvy)$",
    re.IGNORECASE,
)
"""Words that may describe what stands before them: "a woman naked on a bed"."""
THING_BEFORE = re.compile(rf"(?<!\w)(?:{TIES}\s+{DESCRIPTION}|(?:{TIES}\s+)?(?:{DETERMINERS}\s+)?)$", re.IGNORECASE)
QUALITY_BEFORE = re.compile(rf"(?<!\w)(?:{TIES}\s+{DETERMINERS}\s+|(?:{TIES}|{DETERMINERS})\s+)$", re.IGNORECASE)
FIRST = re.compile(rf"^\s*{DESCRIPTION}$", re.IGNORECASE)
ENDS = re.compile(
    rf"\s*(?:$|[^\w\s'-])|\s+(?:{PREPOSITIONS}|{ING}|{DONE}|{ADVERBS}|and|or|to|is|are|was|were|who|that|which)\b",
    re.IGNORECASE,
)
"""Here the noun phrase is over, so the word before was its noun."""
OBJECT = re.compile(rf"\s+{DETERMINERS}\s", re.IGNORECASE)
TAIL = re.compile(r"\s+(?:next to|near|beside|and|with)\b", re.IGNORECASE)
"""What ties a thing to what stands after it, where nothing stands before it."""
HEADLESS = re.compile(rf"(?:{PREPOSITIONS}|{ING}|{DONE})\b", re.IGNORECASE)
"""How a sentence begins that has no subject."""
ARTICLE = re.compile(r"(?<!\w)(an?)\s+$", re.IGNORECASE)


def places(text: str, spans: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return where words stand in a text, in order; those that touch or have but an article between are one place.

    Raises:
        ValueError: One does not stand there.
    """
    found: list[tuple[int, int]] = []
    for span in spans:
        words = r"[\W_]+".join(map(re.escape, span.split()))
        at = [match.span() for match in re.finditer(rf"(?<!\w){words}s?(?!\w)", text, flags=re.IGNORECASE)]
        if not at:
            raise ValueError(f"the words {span!r} could not be removed; give a safe_prompt")
        found += at
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and re.fullmatch(rf"\s*(?:{DETERMINERS}\s+)?|-", text[merged[-1][1] : start], flags=re.IGNORECASE):
            start, end = merged[-1][0], max(end, merged.pop()[1])
        merged.append((start, end))
    return merged


def without(text: str, start: int, end: int) -> str:
    """Return a text without the words at `start` .. `end` - 1, their noun phrase, and what ties it in.

    >>> without("a cook holding a very sharp knife in a room", 28, 33)
    'a cook  in a room'
    """
    before = re.sub(r"(?<!\w)\w+-$", "", text[:start])  # "half-naked", "skull-shaped", "boxer's"
    after = re.sub(r"^(?:-\w+)+|^'s?(?!\w)", "", text[end:])
    last = text[start:end].split()[-1]
    if not ENDS.match(after):
        if last.endswith("ing") and OBJECT.match(after) and re.search(r"\w\s+$", before):
            return f"{before}and{after}"  # "a wolf killing a deer"
        return _described(before, after)
    if QUALITY.search(last):
        before = QUALITY_BEFORE.sub("", before)
    elif FIRST.match(before) and TAIL.match(after):
        before = ""
    else:
        before = THING_BEFORE.sub("", before)
    if not before.strip():
        after = TAIL.sub("", after, count=1) if TAIL.match(after) else after
    return f"{before} {after}"


def _described(before: str, after: str) -> str:
    """Return both sides of a word that described the next one; the article before fits what follows now."""
    follows = after.lstrip()
    if follows[:1].isalpha():
        fitting = "an" if follows[0] in "aeiouAEIOU" else "a"
        before = ARTICLE.sub(f"{fitting} ", before)
    return f"{before} {after}"


def tidy(text: str) -> str:
    """Return a text without the gaps that words leave behind: "a chef , , a room" -> "a chef, a room"."""
    text = re.sub(r"\s+([,.;:!?])", r"\1", re.sub(r"\s+", " ", text))
    return re.sub(r",(?:\s*,)+", ",", text).strip(" ,")
