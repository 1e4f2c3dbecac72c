"""Safe embeddings: each says what it claims to say."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from counterpoint.embeddings.projection import Projection, concept_basis, project_off
from counterpoint.embeddings.safe_prompt import SafePrompt
from counterpoint.embeddings.safety_context import SafetyContext
from counterpoint.embeddings.word_removal import WordRemoval
from counterpoint.interfaces import Detection, InvalidInput
from counterpoint.text_space import StableDiffusionText

UNSAFE = Detection(is_unsafe=True, score=1.0, evidence=("knife",))


def test_the_callers_prompt_is_returned() -> None:
    assert SafePrompt("a cat")("a knife", UNSAFE).prompt == "a cat"


def test_the_context_follows_the_prompt() -> None:
    assert SafetyContext(context="peaceful")("a man with a knife", UNSAFE).prompt == "a man with a knife, peaceful"


@pytest.mark.parametrize(
    ("prompt", "safe"),
    [
        ("a chef with a knife in a room", "a chef in a room"),
        ("a chef holding a Knife in a room", "a chef in a room"),
        ("in a room, a chef with a knife", "in a room, a chef"),
        ("a chef and knives, near a knife", "a chef and knives"),
        ("a knife next to a chef in a room", "a chef in a room"),
        ("a chef next to a knife in a room", "a chef in a room"),
        ("knife", "a scene"),
    ],
)
def test_the_evidence_is_removed_and_the_rest_stays(prompt: str, safe: str) -> None:
    assert WordRemoval()(prompt, UNSAFE).prompt == safe


def test_all_evidence_is_removed() -> None:
    found = Detection(is_unsafe=True, score=1.0, evidence=("knife", "mug of beer"))
    assert WordRemoval()("a man with a knife and a mug of beer", found).prompt == "a man"


@pytest.mark.parametrize("evidence", [(), ("sword",)])
def test_words_that_cannot_be_removed_are_an_error(evidence: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="give a safe_prompt"):
        WordRemoval()("a man with a knife", Detection(is_unsafe=True, score=1.0, evidence=evidence))


def test_projection_removes_the_subspace_and_nothing_else() -> None:
    generator = torch.Generator().manual_seed(0)
    concepts, mean = torch.randn(6, 16, generator=generator), torch.randn(16, generator=generator)
    tokens = torch.randn(5, 16, generator=generator)
    basis = concept_basis(concepts, mean, rank=3)
    torch.testing.assert_close(basis.T @ basis, torch.eye(3), atol=1e-5, rtol=0)
    safe = project_off(tokens, basis, mean, 1.0)
    torch.testing.assert_close((safe - mean) @ basis, torch.zeros(5, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(project_off(safe, basis, mean, 1.0), safe, atol=1e-4, rtol=0)
    torch.testing.assert_close(project_off(tokens, basis, mean, 0.0), tokens, atol=0, rtol=0)


def test_projection_keeps_padding_and_special_tokens(tiny_pipe: Any) -> None:
    text = StableDiffusionText(tiny_pipe)
    embeds, mask = text.encode(["a chef with a knife"])
    safe = Projection(text, ["knife", "sword", "dagger"], rank=2)("a chef with a knife", UNSAFE).prompt_embeds
    assert safe is not None
    assert torch.equal(safe[~mask], embeds[~mask]) and not torch.equal(safe[mask], embeds[mask])


def test_projection_refuses_what_it_cannot_do(tiny_pipe: Any) -> None:
    text = StableDiffusionText(tiny_pipe)
    with pytest.raises(InvalidInput, match="rank"):
        Projection(text, ["knife"], rank=2)
    with pytest.raises(InvalidInput, match="strength"):
        Projection(text, ["knife"], rank=1, strength=2.0)
