"""Methods by name, those of other packages too; options; and the text that stands for many words."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from counterpoint.detectors.concepts import DEFAULT_CONCEPTS
from counterpoint.interfaces import Detection, InvalidInput
from counterpoint.methods import catalogue, dual_latent, plain
from counterpoint.methods.unsafe_words import UNSAFE_WORDS, as_one_text
from counterpoint.text_space import StableDiffusionText


def test_another_package_brings_a_method(monkeypatch: pytest.MonkeyPatch, tiny_pipe: Any) -> None:
    entry = SimpleNamespace(name="other", load=lambda: plain)
    monkeypatch.setattr(catalogue, "entry_points", lambda group: [entry])
    assert "other" in catalogue.names()
    assert catalogue.build_method("other", tiny_pipe, {}).recipe() == {"method": "plain"}


def test_an_entry_point_without_a_method_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint(name="other", value="json", group=catalogue.GROUP)
    monkeypatch.setattr(catalogue, "entry_points", lambda group: [entry])
    with pytest.raises(InvalidInput, match="Options and build"):
        catalogue.load("other")


@pytest.mark.parametrize(
    ("name", "options", "field"),
    [
        ("sld", {"preset": "huge"}, "preset"),
        ("sld", {"strength": -1.0}, "strength"),
        ("sega", {"edit_threshold": 2.0}, "edit_threshold"),
        ("sega", {"preset": "weak"}, "preset"),
        ("safree", {"strength": float("nan")}, "strength"),
        ("uce", {"regularisation": 0.0}, "regularisation"),
        ("rece", {"rounds": 1.5}, "rounds"),
        ("esd", {"variant": "z"}, "variant"),
        ("dual_latent", {"embedding": "magic"}, "embedding"),
        ("dual_latent", {"weight": 2.0}, "weight"),
        ("negative_prompt", {"concepts": []}, "concepts"),
        ("negative_prompt", {"concepts": ["knife"] * 40}, "concepts"),
    ],
)
def test_wrong_options_are_named(tiny_pipe: Any, name: str, options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        catalogue.build_method(name, tiny_pipe, options)


def test_lists_from_yaml_are_taken(tiny_pipe: Any) -> None:
    recipe = catalogue.build_method("sld", tiny_pipe, {"concepts": ["knife", "sword"]}).recipe()
    assert recipe["text"] == "knife, sword"


def test_the_default_text_is_as_long_as_the_encoder_reads(tiny_pipe: Any) -> None:
    reader, text = StableDiffusionText(tiny_pipe), as_one_text(tiny_pipe, None)
    words = text.split(", ")
    assert tuple(words) == UNSAFE_WORDS[: len(words)]
    assert reader.count_tokens(text) <= reader.max_tokens
    assert reader.count_tokens(f"{text}, {UNSAFE_WORDS[len(words)]}") > reader.max_tokens


def test_all_words_are_there_and_categories_take_turns() -> None:
    assert sorted(UNSAFE_WORDS) == sorted(word for words in DEFAULT_CONCEPTS.values() for word in words)
    assert UNSAFE_WORDS[: len(DEFAULT_CONCEPTS)] == tuple(words[0] for words in DEFAULT_CONCEPTS.values())


def test_an_open_gate_calls_the_prompts_unsafe_and_no_safe_text() -> None:
    def nothing(prompts: Any) -> list[Detection]:
        return [Detection(is_unsafe=False, score=0.1) for _ in prompts]

    gate = dual_latent.OpenGate(nothing)
    assert [verdict.is_unsafe for verdict in gate(["a cat", "a dog"])] == [True, True]
    assert [verdict.is_unsafe for verdict in gate(["a cat"])] == [False]


@pytest.mark.parametrize("name", ["dual_latent", "safe_prompt"])
def test_an_open_gate_takes_a_prompt_that_is_the_safe_text_of_another(tiny_pipe: Any, name: str) -> None:
    method = catalogue.build_method(name, tiny_pipe, {"gate": "open"})
    prompts = ["a chef with a knife in a room", "a chef in a room"]

    def first(count: int) -> torch.Tensor:
        generators = [torch.Generator().manual_seed(seed) for seed in range(count)]
        pixels = method(prompts[:count], generators=generators, num_inference_steps=2)[0].pixels
        assert pixels is not None
        return pixels

    assert (first(1) - first(2)).abs().max() < 1e-4


def test_weight_and_tau_stand_in_place_of_the_dial() -> None:
    schedule = dual_latent.Options(safety="max", tau=0.4).schedule
    assert (schedule.weight, schedule.tau) == (1.0, 0.4)
