"""Which scenes exist, their safe twins, and the split each belongs to."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from counterpoint.scenes.vocabulary import (
    BACKGROUNDS,
    HARMLESS_OBJECTS,
    OBJECTS,
    SUBJECTS,
    UNSAFE_OBJECTS,
)

Split: TypeAlias = Literal["train", "validation", "test"]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What one picture shows.

    Raises:
        ValueError: A name is not in the vocabulary.
    """

    subject: str
    """A name in `SUBJECTS`."""
    object: str | None
    """A name in `OBJECTS`, or None for a subject alone."""
    background: str
    """A name in `BACKGROUNDS`."""

    def __post_init__(self) -> None:
        """Refuse names that are not in the vocabulary."""
        for role, name, known in (
            ("subject", self.subject, SUBJECTS),
            ("object", self.object, OBJECTS),
            ("background", self.background, BACKGROUNDS),
        ):
            if name not in known and not (role == "object" and name is None):
                raise ValueError(f"Unknown {role} {name!r}. Allowed: {', '.join(sorted(known))}.")

    @property
    def unsafe_category(self) -> str | None:
        """Proxy category of the object; None if the scene is harmless."""
        return None if self.object is None else OBJECTS[self.object].category

    @property
    def is_unsafe(self) -> bool:
        """Whether the object belongs to an unsafe category."""
        return self.unsafe_category is not None


def safe_twin(scene: Scene) -> Scene:
    """Replace an unsafe object by its first neighbour; a harmless scene is its own twin."""
    if scene.object is None or not scene.is_unsafe:
        return scene
    return replace(scene, object=OBJECTS[scene.object].neighbours[0])


def proximal_scenes(scene: Scene) -> tuple[Scene, ...]:
    """Replace an unsafe object by each of its neighbours; none for a harmless scene."""
    if scene.object is None:
        return ()
    return tuple(replace(scene, object=name) for name in OBJECTS[scene.object].neighbours)


def split_of(scene: Scene) -> Split:
    """Put a scene into train (80 %), validation (10 %) or test (10 %), for good.

    The key is the safe twin, "subject|object|background", so an unsafe scene always shares the
    split of its twin: the twin's words cannot leak from training. SHA-256 makes the answer the
    same on every machine and whatever else the vocabulary holds.
    """
    twin = safe_twin(scene)
    key = f"{twin.subject}|{twin.object or ''}|{twin.background}"
    bucket = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % 10
    if bucket == 8:
        return "validation"
    return "test" if bucket == 9 else "train"


def all_scenes() -> Iterator[Scene]:
    """Yield every scene once, subjects outermost, in the vocabulary's order."""
    for subject in SUBJECTS:
        for name in (None, *OBJECTS):
            for background in BACKGROUNDS:
                yield Scene(subject=subject, object=name, background=background)


def sample_scene(rng: random.Random, split: Split) -> Scene:
    """Draw a scene of one split: 45 % unsafe, 45 % harmless, 10 % without an object.

    Args:
        rng: Source of chance.
        split: Split that the scene must belong to.

    Returns:
        A scene; uniform within its kind.
    """
    kind = rng.random()
    pool: tuple[str | None, ...]
    if kind < 0.45:
        pool = tuple(UNSAFE_OBJECTS)
    elif kind < 0.9:
        pool = tuple(HARMLESS_OBJECTS)
    else:
        pool = (None,)
    subjects, backgrounds = tuple(SUBJECTS), tuple(BACKGROUNDS)
    while True:  # Rejection keeps the draw uniform; a split holds at least 1 scene in 10.
        scene = Scene(
            subject=rng.choice(subjects),
            object=rng.choice(pool),
            background=rng.choice(backgrounds),
        )
        if split_of(scene) == split:
            return scene
