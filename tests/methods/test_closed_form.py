"""UCE's and RECE's closed forms against brute force, and weights that are kept in a folder."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from counterpoint.methods import rece, uce
from counterpoint.methods.cross_attention import keys_and_values, last_word_embeds
from counterpoint.methods.edited import sha256_of
from counterpoint.methods.unsafe_words import HARMLESS_WORDS, UNSAFE_WORDS

WORDS = ("knife", "sword")
SCALES = {"erase_scale": 1.5, "preserve_scale": 0.7, "regularisation": 0.3}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_uce_is_the_least_squares_solution() -> None:
    weight, concepts, guides, kept = random(5, 8), random(3, 8, seed=1), random(3, 8, seed=2), random(2, 8, seed=3)
    edited = weight + weight @ uce.edit_matrix(concepts, guides, kept, **SCALES)
    erase, preserve, ridge = (SCALES[name] ** 0.5 for name in ("erase_scale", "preserve_scale", "regularisation"))
    rows = torch.cat([erase * concepts, preserve * kept, ridge * torch.eye(8, dtype=torch.float64)])
    wanted = torch.cat([erase * guides @ weight.T, preserve * kept @ weight.T, ridge * weight.T])
    assert torch.allclose(edited, torch.linalg.lstsq(rows, wanted).solution.T, atol=1e-10)


def test_uce_without_erasing_is_exactly_nothing() -> None:
    concepts, guides, kept = random(3, 8, seed=1), random(3, 8, seed=2), random(2, 8, seed=3)
    assert not uce.edit_matrix(concepts, guides, kept, **{**SCALES, "erase_scale": 0.0}).any()


def test_the_reviving_embedding_is_the_least_squares_solution() -> None:
    original = {"k": random(5, 8), "v": random(4, 8, seed=1)}
    edited = {name: weight + random(*weight.shape, seed=9) for name, weight in original.items()}
    concepts = random(3, 8, seed=2)
    rows = torch.cat([*edited.values(), 0.1**0.5 * torch.eye(8, dtype=torch.float64)])
    answers = torch.cat([*original.values(), torch.zeros(8, 8, dtype=torch.float64)]) @ concepts.T
    wanted = torch.linalg.lstsq(rows, answers).solution.T
    assert torch.allclose(rece.reviving_embeds(edited, original, concepts, 0.1), wanted, atol=1e-10)


def test_an_erased_concept_is_answered_as_its_guide_and_a_kept_one_as_before(tiny_pipe: Any) -> None:
    options = uce.Options(
        concepts=WORDS, kept_concepts=("guitar", "apple"), templates=("{}",), regularisation=1e-4, guide="a thing"
    )
    original, edited = keys_and_values(tiny_pipe.unet), uce.erased(tiny_pipe, options)
    concept, guide, kept = (last_word_embeds(tiny_pipe, [text]) for text in ("knife", "a thing", "apple"))
    for name, weight in original.items():
        new = edited[name].double()
        assert torch.allclose(concept @ new.T, guide @ weight.double().T, atol=1e-2)
        assert torch.allclose(kept @ new.T, kept @ weight.double().T, atol=1e-2)
        assert not torch.allclose(concept @ weight.double().T, guide @ weight.double().T, atol=0.1)


def test_the_defaults_are_the_published_ones() -> None:
    ours = rece.Options()
    assert (ours.regularisation, ours.preserve_scale, ours.erase_scale) == (0.1, 0.1, 1.0)  # lambda 2, lambda 1
    assert (ours.adversarial_regularisation, ours.rounds) == (0.1, 3)
    assert (uce.Options().regularisation, uce.Options().preserve_scale, uce.Options().erase_scale) == (0.5, 1.0, 1.0)


def test_rounds_make_the_concept_harder_to_revive(tiny_pipe: Any) -> None:
    options = rece.Options(concepts=WORDS, templates=("{}",), kept_concepts=())
    original, concepts = keys_and_values(tiny_pipe.unet), last_word_embeds(tiny_pipe, list(WORDS))

    def left(rounds: int) -> float:
        """How near the best revived embedding comes to the concept's old answers; 1 = as far as silence."""
        edited = rece.erased(tiny_pipe, replace(options, rounds=rounds))
        revived = rece.reviving_embeds(edited, original, concepts, options.adversarial_regularisation)
        missing = [concepts @ original[n].double().T - revived @ edited[n].double().T for n in edited]
        answers = [concepts @ original[n].double().T for n in edited]
        return float(torch.cat(missing, 1).norm() / torch.cat(answers, 1).norm())

    assert left(3) > left(0) + 0.05


def test_edited_weights_are_kept_with_their_recipe(tiny_pipe: Any, tmp_path: Path, monkeypatch: Any) -> None:
    folder = tmp_path / "weights"
    options = uce.Options(concepts=WORDS, folder=str(folder))
    first = uce.build(tiny_pipe, options).recipe()
    assert first["sha256"] == sha256_of(uce.erased(tiny_pipe, options))
    monkeypatch.setattr(uce, "erased", lambda *args: pytest.fail("edited again"))
    assert uce.build(tiny_pipe, options).recipe() == first


def test_the_recipe_names_the_words_and_weights_of_other_words_are_made_anew(
    tiny_pipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = rece.Options(concepts=WORDS, kept_concepts=None, rounds=1, folder=str(tmp_path))
    monkeypatch.setattr(uce, "HARMLESS_WORDS", ("apple", "book"))
    first = rece.build(tiny_pipe, options).recipe()
    assert first["kept_concepts"] == ["apple", "book"]
    monkeypatch.setattr(uce, "HARMLESS_WORDS", ("apple", "ball"))
    assert rece.build(tiny_pipe, options).recipe()["sha256"] != first["sha256"]


def test_weights_of_another_model_are_made_anew(tiny_pipe: Any, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    options = uce.Options(concepts=WORDS, folder=str(folder))
    first = uce.build(tiny_pipe, options).recipe()
    with torch.no_grad():
        tiny_pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn2.to_k.weight.add_(0.1)
    assert uce.build(tiny_pipe, options).recipe()["sha256"] != first["sha256"]
    assert len(list(folder.iterdir())) == 2


def test_weights_of_other_code_are_made_anew(tiny_pipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = rece.Options(concepts=WORDS, rounds=1, folder=str(tmp_path / "weights"))
    rece.build(tiny_pipe, options)
    rece.build(tiny_pipe, options)
    assert len(list((tmp_path / "weights").iterdir())) == 1
    source = inspect.getsource

    def changed(of: Any) -> str:  # RECE's weights rest on UCE's code, too
        return source(of) + ("\n# other" if of is uce else "")

    monkeypatch.setattr(inspect, "getsource", changed)
    rece.build(tiny_pipe, options)
    assert len(list((tmp_path / "weights").iterdir())) == 2


def test_harmless_words_are_kept_unless_they_are_erased() -> None:
    assert uce.kept_or_default(uce.Options()) == HARMLESS_WORDS
    assert uce.kept_or_default(uce.Options(concepts=HARMLESS_WORDS[1:])) == HARMLESS_WORDS[:1]
    assert uce.kept_or_default(uce.Options(kept_concepts=())) == ()
    assert uce.kept_or_default(uce.Options(kept_concepts=("cat",))) == ("cat",)
    assert not set(HARMLESS_WORDS) & set(UNSAFE_WORDS)
