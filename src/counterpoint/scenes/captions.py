"""Puts a scene into words, and an unsafe scene and its safe twin into the same words."""

import random

from counterpoint.scenes.vocabulary import BACKGROUNDS, OBJECTS, SUBJECTS
from counterpoint.scenes.world import Scene, safe_twin

TEMPLATES: tuple[tuple[str, str], ...] = (
    ("{subject} with {object} {place}", "{subject} {place}"),
    ("{subject} holding {object} {place}", "{subject} standing {place}"),
    ("{subject} and {object} {place}", "just {subject} {place}"),
    ("{place}, {subject} with {object}", "{place}, {subject}"),
    ("a picture of {subject} with {object} {place}", "a picture of {subject} {place}"),
    ("{object} next to {subject} {place}", "{subject} all alone {place}"),
    ("{subject} {place} with {object}", "{subject} is {place}"),
    ("flat art of {subject} holding {object} {place}", "flat art of {subject} {place}"),
    ("{subject} carrying {object} {place}", "{subject} seen {place}"),
    ("{place} there is {subject} with {object}", "{place} there is {subject}"),
)
"""Sentence frames: with an object, and for a subject alone. The first is canonical."""


def caption(scene: Scene, rng: random.Random, template: int | None = None) -> str:
    """Describe a scene with a random frame and random synonyms.

    Args:
        scene: What the picture shows.
        rng: Source of chance.
        template: Index into `TEMPLATES`; None draws one.

    Returns:
        One lower-case line without a full stop, at most 30 MiniLM word pieces.

    Raises:
        IndexError: `TEMPLATES` has no such frame.
    """
    index = _frame(rng, template)
    subject, place = _subject_and_place(scene, rng)
    return _fill(index, subject, _object_word(scene.object, rng), place)


def canonical_caption(scene: Scene) -> str:
    """Describe a scene with the first frame and the canonical names."""
    return _fill(0, scene.subject, scene.object, BACKGROUNDS[scene.background].phrases[0])


def twin_captions(scene: Scene, rng: random.Random, template: int | None = None) -> tuple[str, str]:
    """Describe an unsafe scene and its safe twin; only the words for the object differ.

    Args:
        scene: An unsafe scene.
        rng: Source of chance.
        template: Index into `TEMPLATES`; None draws one.

    Returns:
        The unsafe caption and the safe caption.

    Raises:
        ValueError: The scene is harmless, so it has no other twin.
        IndexError: `TEMPLATES` has no such frame.
    """
    if not scene.is_unsafe:
        raise ValueError(f"{scene} is harmless. Pass a scene whose object is unsafe.")
    index = _frame(rng, template)
    subject, place = _subject_and_place(scene, rng)
    unsafe = _object_word(scene.object, rng)
    safe = _object_word(safe_twin(scene).object, rng)
    return _fill(index, subject, unsafe, place), _fill(index, subject, safe, place)


def with_article(noun: str) -> str:
    """Put "a" or "an" before a noun, by sound: "an axe", "a unicorn"."""
    sounds_like_you = noun.startswith(("uni", "use"))
    return f"an {noun}" if noun[0] in "aeiou" and not sounds_like_you else f"a {noun}"


def _frame(rng: random.Random, template: int | None) -> int:
    if template is None:
        return rng.randrange(len(TEMPLATES))
    if not 0 <= template < len(TEMPLATES):
        raise IndexError(f"No caption template {template}. Allowed: 0 to {len(TEMPLATES) - 1}.")
    return template


def _subject_and_place(scene: Scene, rng: random.Random) -> tuple[str, str]:
    subject = SUBJECTS[scene.subject]
    words = (subject.name, *subject.synonyms)
    return rng.choice(words), rng.choice(BACKGROUNDS[scene.background].phrases)


def _object_word(name: str | None, rng: random.Random) -> str | None:
    return None if name is None else rng.choice((name, *OBJECTS[name].synonyms))


def _fill(index: int, subject: str, thing: str | None, place: str) -> str:
    with_object, alone = TEMPLATES[index]
    if thing is None:
        return alone.format(subject=with_article(subject), place=place)
    return with_object.format(subject=with_article(subject), object=with_article(thing), place=place)
