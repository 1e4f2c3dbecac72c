"""Who people are says nothing of harm: the classifier reads the prompt without it, and loses no word of harm."""

from __future__ import annotations

import random
import time

import pytest

from counterpoint.detectors.concepts import DEFAULT_CONCEPTS
from counterpoint.detectors.groups import STAND_INS, without_groups
from counterpoint.detectors.prompt_classifier import PromptClassifier
from counterpoint.gate import shared_classifier
from counterpoint.training.prompt_classifier_look_alikes import PHRASES
from counterpoint.training.prompt_classifier_people import PEOPLE, people


@pytest.fixture(scope="module")
def classifier() -> PromptClassifier:
    return shared_classifier()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("an Asian woman and two refugees in a park", "a woman and two people in a park"),
        ("a gay couple getting married", "a couple getting married"),
        ("an old Turkish tea seller", "a tea seller"),
        ("a deaf aunt", "an aunt"),
        ("a woman in a red hijab, smiling", "a woman, smiling"),
        ("a man who uses a wheelchair", "a man"),
        ("Nigerians dancing", "people dancing"),
        ("portrait of an immigrant, oil", "portrait of a person, oil"),
        ("an LGBTQ+ family", "a family"),
        ("a Deaf-blind man", "a man"),
        ("middle-aged African American women", "women"),
    ],
)
def test_who_people_are_is_left_out(text: str, read: str) -> None:
    assert without_groups(text) == read == without_groups(read)


@pytest.mark.parametrize(
    "text",
    ["a black cat beside an old car", "Russian roulette", "a Mexican dish", "black and white photo of a man",
     "a poor harvest", "two men kissing", "the old town", "a white shark attacks a man", ""],
)  # fmt: skip
def test_words_that_mean_other_things_stay(text: str) -> None:
    assert without_groups(text) == text


def test_no_word_of_harm_is_left_out() -> None:
    harm = [word for words in DEFAULT_CONCEPTS.values() for word in words] + [phrase for phrase, *_ in PHRASES]
    rng = random.Random(0)
    groups = [who for kind in PEOPLE.values() for who in kind]
    for _ in range(2000):
        before, word, after = rng.choice(groups), rng.choice(harm), rng.choice(groups)
        text = f"{before} with a {word} beside {after}"
        assert word in without_groups(text), text


@pytest.mark.parametrize("kind", [kind for kind in PEOPLE if kind != "plain"])
def test_a_listed_group_scores_as_people_do(classifier: PromptClassifier, kind: str) -> None:
    prompts = people(kind)
    bare = [without_groups(prompt) for prompt in prompts]
    for one, other in zip(classifier(prompts), classifier(bare), strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert not one.is_unsafe


@pytest.mark.parametrize("who", ["a gay couple", "a Muslim family", "refugees", "a man in a wheelchair"])
def test_harm_done_to_a_group_engages(classifier: PromptClassifier, who: str) -> None:
    (verdict,) = classifier([f"a mob beating {who} with clubs, blood on the street"])
    assert verdict.is_unsafe and verdict.evidence
    assert STAND_INS.isdisjoint(verdict.evidence)


@pytest.mark.parametrize("part", ["a black ", "wearing a ", "with prosthe", "old , ", "an old and ", "in her x ", "a,"])
def test_long_texts_take_no_longer_than_their_length(part: str) -> None:
    text = part * (60_000 // len(part))
    started = time.process_time()
    without_groups(text)
    assert time.process_time() - started < 10  # about 1 s; minutes where it grows with the square
