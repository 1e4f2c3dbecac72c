"""Claims about the vocabulary, the scenes that exist, and their splits."""

import itertools
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from counterpoint.scenes.vocabulary import (
    BACKGROUNDS,
    CATEGORIES,
    HARMLESS_OBJECTS,
    OBJECTS,
    SUBJECTS,
    UNSAFE_OBJECTS,
    entries,
    markdown,
)
from counterpoint.scenes.world import (
    Scene,
    Split,
    all_scenes,
    proximal_scenes,
    safe_twin,
    sample_scene,
    split_of,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "scenes.md"
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def scene(subject: str, thing: str | None, background: str) -> Scene:
    return Scene(subject=subject, object=thing, background=background)


def test_vocabulary_has_the_promised_size() -> None:
    assert len(SUBJECTS) >= 30
    assert len(UNSAFE_OBJECTS) >= 20
    assert len(HARMLESS_OBJECTS) >= 40
    assert len(BACKGROUNDS) >= 12
    assert len(OBJECTS) == len(UNSAFE_OBJECTS) + len(HARMLESS_OBJECTS)


def test_every_unsafe_object_has_a_category_and_two_harmless_neighbours() -> None:
    assert {thing.category for thing in UNSAFE_OBJECTS.values()} == set(CATEGORIES)
    for thing in UNSAFE_OBJECTS.values():
        assert len(set(thing.neighbours)) >= 2
        assert set(thing.neighbours) <= set(HARMLESS_OBJECTS)


def test_harmless_objects_have_neither_category_nor_neighbours() -> None:
    for thing in HARMLESS_OBJECTS.values():
        assert thing.category is None
        assert thing.neighbours == ()


def test_no_subject_is_a_child() -> None:
    words = {w for s in SUBJECTS.values() for w in (s.name, *s.synonyms, s.sprite)}
    parts = set(" ".join(words).replace("-", " ").split())
    assert not parts & {"boy", "girl", "baby", "child", "kid", "toddler", "teenager"}


def test_no_word_and_no_sprite_stands_for_two_things() -> None:
    words = [word for entry in entries() for word in (entry.name, *entry.synonyms)]
    phrases = [phrase for place in BACKGROUNDS.values() for phrase in place.phrases]
    for names in (words, phrases, [entry.sprite for entry in entries()]):
        assert [name for name, count in Counter(names).items() if count > 1] == []


def test_no_object_sprite_decorates_a_background() -> None:
    props = {prop.sprite for place in BACKGROUNDS.values() for prop in place.props}
    assert not props & {e.sprite for e in entries()}


def test_no_two_backgrounds_share_both_colours_approximately() -> None:
    for one, other in itertools.combinations(BACKGROUNDS.values(), 2):
        pairs = zip((*one.sky, *one.ground), (*other.sky, *other.ground), strict=True)
        assert max(abs(a - b) for a, b in pairs) > 40, (one.name, other.name)


def test_unknown_names_are_refused_with_the_allowed_ones() -> None:
    with pytest.raises(ValueError, match=r"Unknown subject 'yeti'.*astronaut"):
        scene("yeti", "bomb", "city")
    with pytest.raises(ValueError, match=r"Unknown object 'anvil'.*apple"):
        scene("cat", "anvil", "city")
    with pytest.raises(ValueError, match=r"Unknown background 'attic'.*beach"):
        scene("cat", None, "attic")


def test_category_of_a_scene_is_that_of_its_object() -> None:
    assert scene("cat", "skull", "city").unsafe_category == "shocking"
    assert scene("cat", "skull", "city").is_unsafe
    assert not scene("cat", "ghost", "city").is_unsafe
    assert scene("cat", None, "city").unsafe_category is None


def test_safe_twin_differs_in_the_object_only_and_is_harmless() -> None:
    for name, thing in UNSAFE_OBJECTS.items():
        unsafe = scene("fox", name, "beach")
        twin = safe_twin(unsafe)
        assert not twin.is_unsafe
        assert twin == replace(unsafe, object=thing.neighbours[0])
        assert proximal_scenes(unsafe)[0] == twin
        assert len(proximal_scenes(unsafe)) == len(thing.neighbours)


def test_a_harmless_scene_is_its_own_twin_and_has_no_proximal_scenes() -> None:
    for thing in ("apple", None):
        harmless = scene("fox", thing, "beach")
        assert safe_twin(harmless) == harmless
        assert proximal_scenes(harmless) == ()


def test_all_scenes_yields_every_combination_once() -> None:
    scenes = list(all_scenes())
    assert len(scenes) == len(set(scenes))
    assert len(scenes) == len(SUBJECTS) * (len(OBJECTS) + 1) * len(BACKGROUNDS)


def test_splits_hold_about_80_10_10_percent_of_the_scenes() -> None:
    counts = Counter(split_of(each) for each in all_scenes())
    total = sum(counts.values())
    for split, share in zip(SPLITS, (0.8, 0.1, 0.1), strict=True):
        assert counts[split] / total == pytest.approx(share, abs=0.01)


def test_twins_share_their_split() -> None:
    for each in all_scenes():
        assert split_of(each) == split_of(safe_twin(each))


def test_every_single_word_occurs_in_every_split() -> None:
    for split in SPLITS:
        inside = [each for each in all_scenes() if split_of(each) == split]
        assert {each.subject for each in inside} == set(SUBJECTS)
        assert {each.object for each in inside} == {None, *OBJECTS}
        assert {each.background for each in inside} == set(BACKGROUNDS)


@pytest.mark.parametrize(
    ("subject", "thing", "background", "split"),
    [
        ("cat", "bomb", "city", "train"),
        ("cat", "basketball", "city", "train"),
        ("robot", None, "desert", "train"),
        ("panda", "knife", "beach", "test"),
        ("panda", "paintbrush", "beach", "test"),
        ("cow", "rose", "castle", "test"),
        ("owl", "egg", "snow", "train"),
        ("man", "skull", "outer space", "validation"),
        ("man", "ghost", "outer space", "validation"),
        ("man", None, "forest", "validation"),
    ],
)
def test_splits_never_change(subject: str, thing: str | None, background: str, split: Split) -> None:
    assert split_of(scene(subject, thing, background)) == split


def test_samples_keep_to_their_split_and_to_the_shares() -> None:
    for split in SPLITS:
        rng = random.Random(3)
        scenes = [sample_scene(rng, split) for _ in range(4000)]
        assert {split_of(each) for each in scenes} == {split}
        unsafe = sum(each.is_unsafe for each in scenes) / len(scenes)
        alone = sum(each.object is None for each in scenes) / len(scenes)
        assert unsafe == pytest.approx(0.45, abs=0.03)
        assert alone == pytest.approx(0.10, abs=0.02)


def test_same_seed_samples_the_same_scene() -> None:
    assert sample_scene(random.Random(5), "test") == sample_scene(random.Random(5), "test")


def test_document_holds_the_current_vocabulary() -> None:
    assert DOCUMENT.read_text(encoding="utf-8").endswith("\n" + markdown())
