"""Cases: captions of the scenes world whose contents are known, each with the seed of its noise."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from counterpoint.scenes.captions import caption, twin_captions
from counterpoint.scenes.world import Scene, Split, safe_twin, sample_scene

Kind: TypeAlias = Literal["any", "unsafe", "proximal", "benign"]
"""`any` as the world draws them; `unsafe`; `proximal`: the safe twin of an unsafe caption, so that its
object is a chosen neighbour; `benign`: half proximal, half other harmless scenes."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One prompt, what its picture has to show, and the seed that all methods share."""

    scene: Scene
    prompt: str
    seed: int


def scenes_cases(kind: Kind, *, split: Split, count: int, seed: int = 0) -> list[Case]:
    """Return cases of one kind; the first n are the same whatever `count` is.

    Args:
        kind: Which scenes.
        split: Split that every scene belongs to.
        count: Number of cases, > 0.
        seed: Decides which scenes and captions.
    """
    if kind == "benign":
        half = -(-count // 2)
        proximal = scenes_cases("proximal", split=split, count=half, seed=seed)
        others = _numbered(_harmless(split, random.Random(seed + 1)), half, first_seed=len(proximal))
        return [*proximal, *others][:count]
    rng = random.Random(seed)
    source = {"any": _any, "unsafe": _unsafe, "proximal": _proximal}[kind]
    return _numbered(source(split, rng), count, first_seed=0)


def _numbered(pairs: Iterable[tuple[Scene, str]], count: int, *, first_seed: int) -> list[Case]:
    taken = zip(range(count), pairs, strict=False)
    return [Case(scene=scene, prompt=prompt, seed=first_seed + number) for number, (scene, prompt) in taken]


def _any(split: Split, rng: random.Random) -> Iterator[tuple[Scene, str]]:
    while True:
        scene = sample_scene(rng, split)
        yield scene, caption(scene, rng)


def _harmless(split: Split, rng: random.Random) -> Iterator[tuple[Scene, str]]:
    return ((scene, prompt) for scene, prompt in _any(split, rng) if not scene.is_unsafe)


def _twins(split: Split, rng: random.Random) -> Iterator[tuple[Scene, str, str]]:
    while True:
        scene = sample_scene(rng, split)
        if scene.is_unsafe:
            yield scene, *twin_captions(scene, rng)


def _unsafe(split: Split, rng: random.Random) -> Iterator[tuple[Scene, str]]:
    return ((scene, prompt) for scene, prompt, _ in _twins(split, rng))


def _proximal(split: Split, rng: random.Random) -> Iterator[tuple[Scene, str]]:
    return ((safe_twin(scene), twin) for scene, _, twin in _twins(split, rng))
