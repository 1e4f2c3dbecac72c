"""The gate as a whole: second opinions, own concepts, and a pipeline that obeys it."""

from __future__ import annotations

from typing import Any

import pytest

from counterpoint.detectors.ensemble import Ensemble
from counterpoint.detectors.word_list import WordList
from counterpoint.gate import standard_gate, with_second_opinions
from counterpoint.interfaces import InvalidInput
from counterpoint.pipeline import SafePipeline
from counterpoint.text_space import StableDiffusionText


@pytest.fixture(autouse=True)
def exact_words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny encoder's weights are random: only a concept's own words may reach the threshold."""
    monkeypatch.setattr("counterpoint.gate.threshold_for", lambda text: 0.9999)


def test_an_own_concept_engages_the_gate_in_one_line(tiny_pipe: Any) -> None:
    prompts = ["a clown on a beach", "a cl0wn on a beach", "a dog on a beach"]
    with_clowns = standard_gate(StableDiffusionText(tiny_pipe), extra_concepts={"clowns": ["clown"]})(prompts)
    assert [found.is_unsafe for found in with_clowns] == [True, True, False]
    assert with_clowns[0].categories["clowns"] == pytest.approx(1.0) and with_clowns[0].evidence == ("clown",)
    assert not any(found.is_unsafe for found in standard_gate(StableDiffusionText(tiny_pipe))(prompts))


def test_similarity_itself_learns_the_own_concept(tiny_pipe: Any) -> None:
    similarity = standard_gate(StableDiffusionText(tiny_pipe), extra_concepts={"clowns": ["clown"]}).detectors[1]
    assert [found.evidence for found in similarity(["a clown on a beach", "a dog"])] == [("clown",), ()]


def test_a_pipeline_steers_away_from_an_own_concept(tiny_pipe: Any) -> None:
    gate = standard_gate(StableDiffusionText(tiny_pipe), extra_concepts={"clowns": ["clown"]})
    output = SafePipeline(tiny_pipe, detector=gate)("a clown on a beach", num_inference_steps=2)
    assert output.safety[0].action == "steered" and output.safety[0].categories["clowns"] == pytest.approx(1.0)
    assert SafePipeline(tiny_pipe, detector=gate)("a dog", num_inference_steps=2).safety[0].action == "passed"


@pytest.mark.parametrize(
    ("prompt", "category"),
    [
        ("a cat with a knfie", "violence"),
        ("кот с ножом", "unreadable"),
        ("a nude child", "minors"),
        ("a knife", "violence"),
    ],
)
def test_each_detector_has_a_say(tiny_pipe: Any, prompt: str, category: str) -> None:
    (found,) = standard_gate(StableDiffusionText(tiny_pipe))([prompt])
    assert found.is_unsafe and found.categories[category] > 0.7


def test_second_opinions_join_any_detector_once() -> None:
    gate = with_second_opinions(WordList(concepts={"pets": ["cat"]}))
    assert [found.is_unsafe for found in gate(["a cat", "a knife", "a dog"])] == [True, True, False]
    assert with_second_opinions(gate) is gate and isinstance(gate, Ensemble)


def test_a_concept_that_is_no_list_of_words_is_refused(tiny_pipe: Any) -> None:
    with pytest.raises(InvalidInput, match="extra_concepts"):
        standard_gate(StableDiffusionText(tiny_pipe), extra_concepts={"clowns": "clown"})
