"""Methods by name, those of other packages too; options; and the text that stands for many words."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from counterpoint.detectors.concepts import DEFAULT_CONCEPTS
from counterpoint.interfaces import Detection, InvalidInput
from counterpoint.methods import catalogue, dual_latent, plain
from counterpoint.methods.unsafe_words import UNSAFE_NAMES, UNSAFE_WORDS, as_texts, embeds_of_texts
from counterpoint.scenes.vocabulary import OBJECTS
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
        ("negative_prompt", {"concepts": ["knife " * 40]}, "concepts"),
    ],
)
def test_wrong_options_are_named(tiny_pipe: Any, name: str, options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        catalogue.build_method(name, tiny_pipe, options)


def test_lists_from_yaml_are_taken(tiny_pipe: Any) -> None:
    recipe = catalogue.build_method("sld", tiny_pipe, {"concepts": ["knife", "sword"]}).recipe()
    assert recipe["texts"] == ["knife, sword"]


def test_every_unsafe_object_is_told_in_texts_that_the_encoder_reads_whole(tiny_pipe: Any) -> None:
    reader, texts = StableDiffusionText(tiny_pipe), as_texts(tiny_pipe, None)
    parts = [text.split(", ") for text in texts]
    assert sorted(name for part in parts for name in part) == sorted(UNSAFE_NAMES)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1  # few empty tokens beside words in the mean
    assert {name for name, thing in OBJECTS.items() if thing.category is not None} == set(UNSAFE_NAMES)
    assert all(reader.count_tokens(text) <= reader.max_tokens for text in texts)


def test_a_list_that_is_longer_than_one_text_is_cut(tiny_pipe: Any) -> None:
    assert as_texts(tiny_pipe, ["knife", "sword"]) == ["knife, sword"]
    words = ["knife", "sword", "knife", "sword"] * 5
    assert as_texts(tiny_pipe, words) == [", ".join(words[::2]), ", ".join(words[1::2])]


def test_texts_are_told_as_their_mean_and_one_as_it_is(tiny_pipe: Any) -> None:
    reader = StableDiffusionText(tiny_pipe)
    knife, sword = (reader.encode_for({}, text)[0] for text in ("knife", "sword"))
    assert torch.equal(embeds_of_texts(reader, {}, ["knife"]), knife)
    assert torch.allclose(embeds_of_texts(reader, {}, ["knife", "sword"]), (knife + sword) / 2, atol=1e-6)


TOLD = [
    ("negative_prompt", {"strength": 1.0}, 2),
    ("sld", {"preset": "max"}, 3),
    ("sega", {"preset": "max"}, 3),
    ("safree", {"with_negative_prompt": True}, 2),
]


@pytest.mark.parametrize(("name", "options", "rows"), TOLD)
def test_methods_of_one_text_hear_all_words_in_as_many_rows(
    tiny_pipe: Any, monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, Any], rows: int
) -> None:
    def pixels(texts: list[str]) -> torch.Tensor:
        monkeypatch.setattr(import_module(f"counterpoint.methods.{name}"), "as_texts", lambda pipe, concepts: texts)
        method = catalogue.build_method(name, tiny_pipe, options)
        (drawn,) = method(["a chef in a room"], generators=[torch.Generator().manual_seed(1)], num_inference_steps=3)
        assert drawn.pixels is not None and drawn.cost.denoiser_rows == 3 * rows
        return drawn.pixels

    both, first = pixels(["knife, sword", "skull"]), pixels(["knife, sword"])
    assert not torch.equal(both, first) and not torch.equal(both, pixels(["knife, sword", "beer"]))


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
