"""Features of the store's pictures, and the distances that are counted in them.

A picture's vector is written once and kept, so that the report counts Frechet and kernel distances from the folder
alone. What a space with layers says of two pictures, the method's and the plain one, is kept as a distance.

    features/SPACE/ab/ab12...json      a picture's vector
    perceptual/SPACE/ab/ab12...json    its distance to the plain picture
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from counterpoint.bench.judging import BATCH, check_names, open_picture, pairs_with_plain, whole_pictures
from counterpoint.bench.plan import Plan
from counterpoint.bench.progress import Counter, progress
from counterpoint.bench.recipe import Recipe
from counterpoint.bench.shard import WHOLE, Shard
from counterpoint.bench.store import Store, content_key
from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.catalogue import build_space
from counterpoint.metrics.feature_space import FeatureSpace, LayeredSpace
from counterpoint.metrics.perceptual_distance import perceptual_distance
from counterpoint.metrics.set_distance import LEAST_PROMPTS, SetDistance, set_distance

Hashes = Mapping[str, str]
"""SHA-256 of every whole picture, by its key."""


def build_spaces(recipe: Recipe) -> list[FeatureSpace]:
    """Build the feature spaces of a recipe.

    Raises:
        InvalidInput: A space cannot be built, or two have one name.
    """
    spaces = [build_space(part.name, part.options) for part in recipe.features]
    check_names("features", [space.name for space in spaces])
    return spaces


def space_key(space: FeatureSpace) -> str:
    """Return the name of a space's rooms in the store: another recipe has other rooms."""
    return content_key(space.recipe())[:16]


def measure_features(plan: Plan, spaces: Sequence[FeatureSpace], store: Store, *, shard: Shard = WHOLE) -> int:
    """Write the vectors and distances that the store lacks; return how many were written.

    Raises:
        InvalidInput: A space gives a vector that is not finite.
    """
    if not spaces:
        return 0
    tasks, hashes = whole_pictures(plan, store, shard)
    pairs = pairs_with_plain(plan, tasks, hashes)
    lacking = [[task.key for task in tasks if _vector(store, s, task.key, hashes) is None] for s in spaces]
    far = [_far(space, pairs, store, hashes) if isinstance(space, LayeredSpace) else [] for space in spaces]
    total = sum(map(len, lacking)) + sum(map(len, far))
    with progress("features", total) as counter:
        for space, keys, own in zip(spaces, lacking, far, strict=True):
            _write_vectors(space, keys, store, hashes, counter)
            if isinstance(space, LayeredSpace):
                _write_perceptual(space, own, store, hashes, counter)
    return total


def _far(space: FeatureSpace, pairs: Sequence[tuple[str, str]], store: Store, hashes: Hashes) -> list[tuple[str, str]]:
    """Return the pairs of keys whose distance was not measured."""
    return [
        (key, plain) for key, plain in pairs if read_perceptual(store, space, key, hashes[key], hashes[plain]) is None
    ]


def _write_vectors(space: FeatureSpace, keys: Sequence[str], store: Store, hashes: Hashes, counter: Counter) -> None:
    for start in range(0, len(keys), BATCH):
        batch = keys[start : start + BATCH]
        vectors = space([open_picture(store, key) for key in batch])
        if not bool(vectors.isfinite().all()):
            raise InvalidInput(space.name, "NaN or infinite", "finite vectors of all pictures")
        for key, vector in zip(batch, vectors, strict=True):
            store.write(_room(space), key, {"picture": hashes[key], "float32": _encoded(vector)})
        counter.advance(len(batch))


def _write_perceptual(
    space: LayeredSpace, pairs: Sequence[tuple[str, str]], store: Store, hashes: Hashes, counter: Counter
) -> None:
    for start in range(0, len(pairs), BATCH):
        batch = pairs[start : start + BATCH]
        sides = [space.layers([open_picture(store, pair[side]) for pair in batch]) for side in (0, 1)]
        for (key, plain), distance in zip(batch, perceptual_distance(*sides).tolist(), strict=True):
            record = {"picture": hashes[key], "plain": hashes[plain], "distance": distance}
            store.write(f"perceptual/{space_key(space)}", key, record)
        counter.advance(len(batch))


def read_perceptual(store: Store, space: FeatureSpace, key: str, picture: str, plain: str) -> float | None:
    """Return the distance between two pictures with these SHA-256; None where it was not measured."""
    record = store.read(f"perceptual/{space_key(space)}", key)
    if record is None or (record.get("picture"), record.get("plain")) != (picture, plain):
        return None
    return float(record["distance"])


def read_set_distance(
    plan: Plan, method: str, dataset: str, space: FeatureSpace, store: Store, hashes: Hashes
) -> SetDistance | None:
    """Compare a method's pictures of one data set with the plain model's; None where there are too few.

    Pairs of which one picture is missing, withheld or has no vector yet do not count.
    """
    names = {task.key: task.prompt.name for task in plan.tasks(method) if task.prompt.dataset == dataset}
    whole = [task for task in plan.tasks(method) if task.key in names and task.key in hashes]
    vectors = [
        (names[key], _vector(store, space, key, hashes), _vector(store, space, plain, hashes))
        for key, plain in pairs_with_plain(plan, whole, hashes)
    ]
    prompts = [name for name, own, plain in vectors if own is not None and plain is not None]
    if len(set(prompts)) < LEAST_PROMPTS:
        return None
    pairs = [(own, plain) for _, own, plain in vectors if own is not None and plain is not None]
    return set_distance(torch.stack([own for own, _ in pairs]), torch.stack([plain for _, plain in pairs]), prompts)


def _room(space: FeatureSpace) -> str:
    return f"features/{space_key(space)}"


def _vector(store: Store, space: FeatureSpace, key: str, hashes: Hashes) -> Tensor | None:
    record = store.read(_room(space), key)
    if record is None or record.get("picture") != hashes[key]:
        return None
    return torch.from_numpy(np.frombuffer(base64.b64decode(record["float32"]), dtype="<f4").copy())


def _encoded(vector: Tensor) -> str:
    return base64.b64encode(vector.detach().cpu().numpy().astype("<f4").tobytes()).decode()
