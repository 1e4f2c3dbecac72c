"""The gate as a whole: second opinions, own concepts, and a pipeline that obeys it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import cpu_offload

from counterpoint import thresholds
from counterpoint.detectors.ensemble import Ensemble
from counterpoint.detectors.prompt_classifier import PromptClassifier
from counterpoint.detectors.word_list import WordList
from counterpoint.embedded import sanitizer_path
from counterpoint.embeddings.sanitizer import Sanitizer
from counterpoint.gate import shared_classifier, standard_gate, with_second_opinions
from counterpoint.interfaces import InvalidInput
from counterpoint.loading import load_pipe
from counterpoint.pipeline import SafePipeline
from counterpoint.text_space import EncoderText, StableDiffusionText
from counterpoint.thresholds import PATH, calibrate, lists_hash


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
    with pytest.raises(InvalidInput, match="an Ensemble with concepts"):
        with_second_opinions(gate, extra_concepts={"clowns": ["clown"]})
    with pytest.raises(InvalidInput, match="an Ensemble with concepts or a point"):
        with_second_opinions(gate, point="block")


def test_the_classifier_is_not_asked_twice() -> None:
    classifier = shared_classifier("block")
    gate = with_second_opinions(classifier)
    assert [one for one in gate.detectors if isinstance(one, PromptClassifier)] == [classifier]


def test_a_concept_that_is_no_list_of_words_is_refused(tiny_pipe: Any) -> None:
    with pytest.raises(InvalidInput, match="extra_concepts"):
        standard_gate(StableDiffusionText(tiny_pipe), extra_concepts={"clowns": "clown"})


def test_concepts_replace_the_default_ones(tiny_pipe: Any) -> None:
    text = StableDiffusionText(tiny_pipe)
    prompts = ["a clown on a beach", "a knife"]
    for gate in (
        standard_gate(text, concepts={"clowns": ["clown"]}),
        standard_gate(text, concepts={}, extra_concepts={"clowns": ["clown"]}),
    ):
        _, similarity, words, *_ = gate.detectors
        assert [found.is_unsafe for found in similarity(prompts)] == [True, False]
        assert [found.is_unsafe for found in words(prompts)] == [True, False]
    with pytest.raises(InvalidInput, match="concepts"):
        standard_gate(text, concepts={})
    joined = with_second_opinions(lambda texts: [], concepts={"clowns": ["clown"]})
    assert joined.detectors[2](["a clown"])[0].is_unsafe and not joined.detectors[2](["a knife"])[0].is_unsafe


def test_a_fingerprint_is_of_the_weights(tiny_pipe: Any) -> None:
    text, encoder = StableDiffusionText(tiny_pipe), tiny_pipe.text_encoder
    before = text.fingerprint
    torch.manual_seed(7)
    copy = type(encoder)(encoder.config)
    other = EncoderText(tiny_pipe.tokenizer, copy).fingerprint
    assert other != before and other.rpartition("-")[0] == before.rpartition("-")[0]
    copy.load_state_dict(encoder.state_dict())
    assert EncoderText(tiny_pipe.tokenizer, copy).fingerprint == before
    with torch.no_grad():  # training on one layer is enough
        copy.encoder.layer[1].attention.self.value.weight.mul_(1.02)
    assert EncoderText(tiny_pipe.tokenizer, copy).fingerprint != before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_fingerprint_outlasts_half_precision(tiny_pipe: Any, dtype: torch.dtype) -> None:
    """In float16 for weights that were stored in it, as the embedded model's."""
    tiny_pipe.text_encoder.to(dtype).float()
    before = StableDiffusionText(tiny_pipe).fingerprint
    tiny_pipe.text_encoder.to(dtype)
    assert StableDiffusionText(tiny_pipe).fingerprint == before


def test_a_fingerprint_outlasts_sequential_offload(tiny_pipe: Any) -> None:
    before = StableDiffusionText(tiny_pipe).fingerprint
    cpu_offload(tiny_pipe.text_encoder, torch.device("cpu"))
    assert {weight.device.type for weight in tiny_pipe.text_encoder.parameters()} == {"meta"}
    assert StableDiffusionText(tiny_pipe).fingerprint == before


def test_the_shipped_threshold_and_sanitizer_are_the_embedded_encoders() -> None:
    text = SafePipeline(load_pipe()).text
    stored = json.loads(PATH.read_text(encoding="utf-8"))
    assert stored[text.fingerprint]["threshold"] == pytest.approx(calibrate(text).threshold, abs=1e-5)
    assert isinstance(text, StableDiffusionText)
    Sanitizer(text, sanitizer_path())


def test_the_stored_threshold_is_of_todays_lists() -> None:
    stored = json.loads(PATH.read_text(encoding="utf-8"))
    assert {entry["lists"] for entry in stored.values()} == {lists_hash()}


def test_other_lists_are_fitted_anew(monkeypatch: pytest.MonkeyPatch, tiny_pipe: Any, tmp_path: Path) -> None:
    text, path = StableDiffusionText(tiny_pipe), tmp_path / "thresholds.json"
    path.write_text(json.dumps({text.fingerprint: {"threshold": 0.123, "lists": lists_hash()}}))
    monkeypatch.setattr(thresholds, "PATH", path)
    fitted = SimpleNamespace(threshold=0.5, recall=0.4, false_alarms=0.0)
    monkeypatch.setattr(thresholds, "calibrate", lambda text: fitted)
    assert thresholds.threshold_for(text) == 0.123
    monkeypatch.setattr(thresholds, "HARMLESS_PHRASES", ("butter knife",))
    with pytest.warns(UserWarning, match="reads little with this text encoder: it finds 40%"):
        assert thresholds.threshold_for(text) == 0.5
