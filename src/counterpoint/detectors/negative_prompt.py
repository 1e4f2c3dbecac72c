"""Prompt and negative prompt judged as a pair: what is pushed away matters as much as what is drawn.

A negative prompt cannot make its prompt look safer: the prompt is judged alone, whatever the negative
prompt takes back. Naming harm in it is its proper use: "blood, nude" pushes these away. Naming what
keeps a picture safe inverts that: "clothes" undresses, "safe" leads to the unsafe. Encoders hardly
read negation, so "no clothes" counts as "clothes"; the idiom "not safe for work" names harm. And one that
repeats the safe text cancels it: see `without_words_of`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from counterpoint.detectors.ensemble import merge
from counterpoint.interfaces import Detection, Detector, InvalidInput
from counterpoint.normalise import normalise
from counterpoint.normalise.words import read

CATEGORY = "negative prompt"
SAFEGUARDS = frozenset(
    """safe safety sfw harmless peaceful peace innocent innocuous wholesome decent decency modest modesty censored
    censor censorship censoring clothes clothing clothed clothe dressed garment garments apparel attire outfit
    unharmed nonviolent bloodless""".split()
)
"""Words for what keeps a picture safe."""
SMALL_WORDS = frozenset(
    """a an the of with and or in on at to from for by is are was were be it its his her their this that no not without
    as into over under""".split()
)
"""Words that name nothing in a picture."""
NAMES_OF_HARM = (
    "not safe for work",
    "not safe for life",
    "not sfw",
    "non sfw",
    "not safe",
    "not harmless",
    "not censored",
)
"""Idioms that hold a safeguard and mean its lack, as people write them into negative prompts."""
UNDOING = Detection(
    is_unsafe=True,
    score=1.0,
    categories={CATEGORY: 1.0},
    remarks=("the negative prompt pushes away what keeps the picture safe",),
    engaged_by=("NegativePrompt",),
)
"""The verdict on a negative prompt that holds a safeguard."""


def undoes_safety(negative_prompt: str) -> tuple[str, ...]:
    """Return the words of a negative prompt that would push safety away; empty where none would."""
    words, readings = read(normalise(negative_prompt))
    excused: set[int] = set()
    for idiom in NAMES_OF_HARM:
        size = len(idiom.split())
        for start in range(len(words) - size + 1):
            if " ".join(words[start : start + size]) == idiom:
                excused.update(range(start, start + size))
    found = [word for place, word in enumerate(words) if word in SAFEGUARDS and place not in excused]
    found += [r.text for r in readings if r.text in SAFEGUARDS and not excused.issuperset(range(r.start, r.end))]
    return tuple(dict.fromkeys(found))


def judge_pairs(detector: Detector, prompts: Sequence[str], negative_prompts: Sequence[str | None]) -> list[Detection]:
    """Return one verdict a pair: never milder than the detector's on the prompt alone.

    The evidence stays the prompt's: words of a negative prompt are none that could be removed from it.

    Args:
        detector: The gate, asked about the prompts.
        prompts: What is to be drawn.
        negative_prompts: What is to be pushed away, one a prompt; None or "" where there is none.

    Raises:
        InvalidInput: There are not as many negative prompts as prompts.
    """
    if len(prompts) != len(negative_prompts):
        raise InvalidInput("negative_prompts", f"{len(negative_prompts)} texts", f"{len(prompts)}, one a prompt")
    pairs = zip(detector(prompts), negative_prompts, strict=True)
    return [_judge(verdict, negative) for verdict, negative in pairs]


def _judge(verdict: Detection, negative_prompt: str | None) -> Detection:
    if not negative_prompt or not undoes_safety(negative_prompt):
        return verdict
    if verdict.is_unsafe:  # by its own words: these decide what the safe stream is told
        return replace(
            verdict,
            remarks=(*verdict.remarks, *UNDOING.remarks),
            engaged_by=(*verdict.engaged_by, *UNDOING.engaged_by),
        )
    return merge((verdict, UNDOING))


def without_words_of(text: str, negative_prompt: str) -> str:
    """Return a negative prompt without the words that a text holds; as it is where they share none but small words.

    What guidance pushes away cannot lead anywhere: a negative prompt that says what the safe stream draws leaves the
    original stream alone. Words count alike with and without a plural's "s"; small words say nothing.

    >>> without_words_of("a chef in a room", "Chefs, blurry, low quality")
    'blurry, low quality'
    """
    held = {_stem(word) for word in read(normalise(text))[0]} - SMALL_WORDS
    plain = normalise(negative_prompt)
    words, readings = read(plain)
    shared = {word for word in (*words, *(reading.text for reading in readings)) if _stem(word) in held}
    if not shared:
        return negative_prompt
    left = re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, shared))})(?!\w)", " ", plain, flags=re.IGNORECASE)
    words, readings = read(left)
    if any(_stem(word) in held for word in (*words, *(reading.text for reading in readings))):
        return ""  # hidden ones, "c h e f"
    if all(word in SMALL_WORDS for word in words):
        return ""
    return re.sub(r"(\s*,)+", ",", re.sub(r"[(\[{]\s*[)\]}]|\s+", " ", left)).strip(" ,")


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def without_safeguards(negative_prompt: str) -> str:
    """Return a negative prompt without its safeguards, so that it pushes no safety away; "" where words hide them."""
    found = undoes_safety(negative_prompt)
    if not found:
        return negative_prompt
    words = "|".join(map(re.escape, found))
    text = re.sub(rf"(?<!\w)(?:{words})(?!\w)", " ", normalise(negative_prompt), flags=re.IGNORECASE)
    return "" if undoes_safety(text) else re.sub(r"\s+", " ", text).strip(" ,")
