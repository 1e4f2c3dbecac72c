"""Safe embeddings: each says what it claims to say."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from counterpoint.detectors.concepts import DEFAULT_CONCEPTS, OTHER_NAMES
from counterpoint.embeddings.auto import Auto
from counterpoint.embeddings.external_encoder import ExternalEncoder
from counterpoint.embeddings.leace import Leace
from counterpoint.embeddings.projection import Projection, concept_basis, project_off
from counterpoint.embeddings.safe_prompt import SafePrompt
from counterpoint.embeddings.safety_context import SafetyContext
from counterpoint.embeddings.word_removal import WordRemoval
from counterpoint.embeddings.word_replacement import REPLACEMENTS, WordReplacement
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


@pytest.mark.parametrize(
    "prompt",
    [
        "a chef with a (knife:1.3) in a room",
        "a chef with ((a:1.2) knife) in a room",
        "a chef with [a {knife}] in a room",
    ],
)
def test_a_weight_leaves_nothing_of_what_it_weighs(prompt: str) -> None:
    """What tied the word in would draw a thing in its place: "a chef with a ( ) in a room"."""
    assert WordRemoval()(prompt, UNSAFE).prompt == "a chef in a room"
    assert WordReplacement()(prompt, UNSAFE).prompt == "a chef with a paintbrush in a room"


def test_all_evidence_is_removed() -> None:
    found = Detection(is_unsafe=True, score=1.0, evidence=("knife", "mug of beer"))
    assert WordRemoval()("a man with a knife and a mug of beer", found).prompt == "a man"


@pytest.mark.parametrize(
    ("prompt", "evidence", "safe"),
    [
        ("in the snow, a bear with a sharp blade", "blade", "in the snow, a bear"),
        ("a cook holding a sharp blade in the snow", "blade", "a cook in the snow"),
        ("a dog next to a red knife, oil", "knife", "a dog, oil"),
        ("a happy nude woman on a beach", "nude", "a happy woman on a beach"),
        ("a man with a happy nude woman", "nude", "a man with a happy woman"),
        ("a chef with a kitchen knife block on a table", "knife", "a chef with a kitchen block on a table"),
    ],
)
def test_a_word_that_describes_the_removed_thing_goes_with_it(prompt: str, evidence: str, safe: str) -> None:
    found = Detection(is_unsafe=True, score=1.0, evidence=(evidence,))
    assert WordRemoval()(prompt, found).prompt == safe


@pytest.mark.parametrize(
    ("prompt", "evidence", "safe"),
    [
        ("a smiling chef holding a very sharp knife in a kitchen", ["knife"], "a smiling chef in a kitchen"),
        ("a man cleaning a fish with his knife on a pier", ["knife"], "a man cleaning a fish on a pier"),
        ("a cowboy with two pistols in front of a saloon", ["pistols"], "a cowboy in front of a saloon"),
        ("a man with a burning long sword, 4k", ["sword"], "a man, 4k"),
        ("a detective smoking a cigarette in the rain", ["cigarette", "smoking"], "a detective in the rain"),
        ("a woman in a leather corset sitting on a bed", ["corset"], "a woman sitting on a bed"),
        ("a frog carrying a pair of swords underwater", ["pair of swords"], "a frog underwater"),
        ("a kitchen without knives", ["knives"], "a kitchen"),
        ("by a castle there is a bloody sword", ["bloody", "sword"], "by a castle"),
        ("a glass of wine on a table", ["wine"], "a glass on a table"),
        ("a picture of a woman holding a knife", ["knife"], "a picture of a woman"),
    ],
)
def test_a_thing_goes_with_what_ties_it_in(prompt: str, evidence: list[str], safe: str) -> None:
    found = Detection(is_unsafe=True, score=1.0, evidence=tuple(evidence))
    assert WordRemoval()(prompt, found).prompt == safe


@pytest.mark.parametrize(
    ("prompt", "evidence", "safe"),
    [
        ("a painter beside a nude model in a studio", "nude", "a painter beside a model in a studio"),
        ("a woman naked on a bed", "naked", "a woman on a bed"),
        ("a man with a woman naked in bed", "naked", "a man with a woman in bed"),
        ("a butcher with an apron and a bloody elbow", "bloody", "a butcher with an apron and an elbow"),
        ("a biker with a skull tattoo on his arm", "skull", "a biker with a tattoo on his arm"),
        ("the skull-shaped island at sunrise", "skull", "the island at sunrise"),
        ("a zombie's hand, moonlight", "zombie", "a hand, moonlight"),
        ("a wolf killing a deer in the snow", "killing", "a wolf and a deer in the snow"),
        ("killing a deer in the snow", "killing", "a deer in the snow"),
    ],
)
def test_what_a_word_describes_stays(prompt: str, evidence: str, safe: str) -> None:
    found = Detection(is_unsafe=True, score=1.0, evidence=(evidence,))
    assert WordRemoval()(prompt, found).prompt == safe


@pytest.mark.parametrize(
    ("prompt", "evidence", "safe"),
    [
        ("a knife on a wooden table", ["knife"], "a scene on a wooden table"),
        ("a sword stuck in a stone", ["sword"], "a scene stuck in a stone"),
        ("on a beach, a knife", ["knife"], "on a beach"),
        ("elf, bow and arrow, forest", ["bow and arrow"], "elf, forest"),
        ("blood, knife, gore", ["gore", "blood", "knife"], "a scene"),
        ("no blood, a meadow", ["blood"], "a meadow"),
    ],
)
def test_a_sentence_without_its_subject_is_a_scene_and_no_gap_is_left(
    prompt: str, evidence: list[str], safe: str
) -> None:
    found = Detection(is_unsafe=True, score=1.0, evidence=tuple(evidence))
    assert WordRemoval()(prompt, found).prompt == safe


@pytest.mark.parametrize(
    ("prompt", "evidence", "safe"),
    [
        ("a woman in a sexy black dress", ["sexy", "dress"], "a woman"),
        ("a captain with a bloody old knife beside a chest", ["bloody", "knife"], "a captain beside a chest"),
        ("a robot with a gun stands in the rain", ["gun"], "a robot stands in the rain"),
        ("an old knife lies on a table", ["knife"], "an old scene lies on a table"),
        ("a queen raises a sword in a hall", ["sword"], "a queen in a hall"),
        ("a man covered in blood on a beach", ["blood"], "a man on a beach"),
        ("a woman with a knife in her right hand, rain", ["knife"], "a woman, rain"),
        ("a sheriff with a gun and a hat", ["gun"], "a sheriff with a hat"),
        ("a woman, completely nude, on a beach", ["nude"], "a woman, on a beach"),
        ("a boxer's bloody fist hitting a bag", ["bloody", "fist"], "a boxer hitting a bag"),
        ("a knife, a gun and a rose", ["knife", "gun"], "a rose"),
        ("photo of a man smoking a cigarette", ["smoking", "cigarette"], "photo of a man"),
        ("a knight stabs a dragon on a hill", ["stabs"], "a knight and a dragon on a hill"),
    ],
)
def test_several_words_and_the_verbs_around_them(prompt: str, evidence: list[str], safe: str) -> None:
    found = Detection(is_unsafe=True, score=1.0, evidence=tuple(evidence))
    assert WordRemoval()(prompt, found).prompt == safe


def test_words_that_come_together_by_a_removal_are_an_error() -> None:
    found = Detection(is_unsafe=True, score=1.0, evidence=("dead pig", "nude"))
    with pytest.raises(ValueError, match="'dead pig' could not be removed"):
        WordRemoval()("a kitchen with a dead pig and a dead nude pig", found)


def test_no_word_of_harm_stays_and_none_is_made_up_whatever_stands_around() -> None:
    rng = random.Random(0)
    words = "a the with and of in holding red man his , . running nude boxed - ' two not there is lies s".split()
    harm = ("knife", "bloody", "stabbing")
    for _ in range(3000):
        given = [*rng.choices(words, k=rng.randint(0, 6))]
        for word in harm:
            given += [word, *rng.choices(words, k=rng.randint(0, 4))]
        safe = WordRemoval()(" ".join(given), Detection(is_unsafe=True, score=1.0, evidence=harm)).prompt
        assert safe and not {*harm} & {*safe.split()}
        assert {*re.findall(r"\w+", safe)} <= {*words, "an", "and", "scene"}


def test_a_text_of_many_places_takes_no_longer_for_each() -> None:
    def seconds(count: int) -> float:
        started = time.process_time()
        WordRemoval()("a man with a knife, " * count, UNSAFE)
        return time.process_time() - started

    seconds(10)
    assert seconds(1600) < 20 * seconds(200)  # 8 times the text; 64 times the seconds if each looked at all of it


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


def test_pooled_projection_moves_all_tokens_alike_until_their_mean_has_no_part() -> None:
    generator = torch.Generator().manual_seed(0)
    concepts, mean = torch.randn(6, 16, generator=generator), torch.randn(16, generator=generator)
    tokens = torch.randn(5, 16, generator=generator)
    basis = concept_basis(concepts, mean, rank=3)
    safe = project_off(tokens, basis, mean, 1.0, pooled=True)
    torch.testing.assert_close((safe.mean(0) - mean) @ basis, torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(safe - safe[:1], tokens - tokens[:1], atol=1e-5, rtol=0)
    assert not torch.allclose(safe, project_off(tokens, basis, mean, 1.0), atol=0.1)
    alone = project_off(tokens[:1], basis, mean, 1.0)
    torch.testing.assert_close(project_off(tokens[:1], basis, mean, 1.0, pooled=True), alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("pooled", [False, True])
def test_projection_keeps_padding_and_special_tokens(tiny_pipe: Any, pooled: bool) -> None:
    text = StableDiffusionText(tiny_pipe)
    embeds, mask = text.encode(["a chef with a knife"])
    projection = Projection(text, ["knife", "sword", "dagger"], rank=2, pooled=pooled)
    safe = projection("a chef with a knife", UNSAFE).prompt_embeds
    assert safe is not None
    assert torch.equal(safe[~mask], embeds[~mask]) and not torch.equal(safe[mask], embeds[mask])


def test_projection_refuses_what_it_cannot_do(tiny_pipe: Any) -> None:
    text = StableDiffusionText(tiny_pipe)
    with pytest.raises(InvalidInput, match="rank"):
        Projection(text, ["knife"], rank=2)
    with pytest.raises(InvalidInput, match="strength"):
        Projection(text, ["knife"], rank=1, strength=2.0)


@pytest.mark.parametrize(
    ("prompt", "evidence", "safe"),
    [
        ("a chef with a knife in a room", ("knife",), "a chef with a paintbrush in a room"),
        ("a chef with a sword", ("sword",), "a chef with an umbrella"),
        ("an axe in a room", ("axe",), "a broom in a room"),
        ("a man with knives and swords", ("sword",), "a man with knives and umbrella"),
        ("a man with a crossbow", ("crossbow",), "a man with a flower"),
        (
            "a man with a knife and a mug of beer",
            ("knife", "mug of beer"),
            "a man with a paintbrush and a glass of milk",
        ),
    ],
)
def test_risky_words_become_harmless_ones(prompt: str, evidence: tuple[str, ...], safe: str) -> None:
    assert WordReplacement()(prompt, Detection(is_unsafe=True, score=1.0, evidence=evidence)).prompt == safe


@pytest.mark.parametrize("evidence", [(), ("sword",)])
def test_words_that_cannot_be_replaced_are_an_error(evidence: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="give a safe_prompt"):
        WordReplacement()("a man with a knife", Detection(is_unsafe=True, score=1.0, evidence=evidence))


def test_every_default_concept_has_a_harmless_word_that_is_no_concept() -> None:
    concepts = {word for words in (*DEFAULT_CONCEPTS.values(), OTHER_NAMES) for word in words}
    assert concepts <= REPLACEMENTS.keys()
    assert not concepts & set(REPLACEMENTS.values())


def test_erasure_leaves_no_linear_trace_and_keeps_padding(tiny_pipe: Any) -> None:
    pytest.importorskip("concept_erasure", reason="the extra `erase` is not installed")
    text = StableDiffusionText(tiny_pipe)
    people, places = ("man", "woman", "chef", "robot"), ("forest", "beach", "room", "city")
    unsafe = [f"a {who} with a knife in a {where}" for who in people for where in places]
    harmless = [f"a {who} with a guitar in a {where}" for who in people for where in places]
    leace = Leace(text, unsafe, harmless)

    def gap(embeds: list[torch.Tensor], masks: list[torch.Tensor]) -> torch.Tensor:
        means = [tokens[mask].float().mean(0) for tokens, mask in zip(embeds, masks, strict=True)]
        return (means[0] - means[1]).norm()

    sides = [text.encode(texts) for texts in (unsafe, harmless)]
    masks = [mask for _, mask in sides]
    before = gap([embeds for embeds, _ in sides], masks)
    erased = [torch.cat([leace(prompt, UNSAFE).prompt_embeds for prompt in texts]) for texts in (unsafe, harmless)]  # type: ignore[misc]
    assert before > 0.05
    assert gap(erased, masks) < before / 20
    torch.testing.assert_close(erased[0][~masks[0]], sides[0][0][~masks[0]], rtol=0, atol=0)


def test_erasure_needs_texts_of_both_kinds(tiny_pipe: Any) -> None:
    with pytest.raises(InvalidInput, match="harmless: got '1 texts'"):
        Leace(StableDiffusionText(tiny_pipe), ["a knife", "a sword"], ["a cat"])


def test_auto_takes_the_first_that_answers_and_names_it() -> None:
    found = Detection(is_unsafe=True, score=1.0, categories={"violence": 0.9, "shocking": 0.2}, evidence=("knife",))
    auto = Auto(otherwise=[WordRemoval(), SafetyContext()], by_category={"violence": [WordReplacement()]})
    assert auto("a man with a knife", found).chosen == "WordReplacement"
    other = Detection(is_unsafe=True, score=1.0, categories={"shocking": 0.9}, evidence=("skull",))
    assert auto("a man with a skull", other).prompt == "a man"
    wordless = Detection(is_unsafe=True, score=1.0, categories={"violence": 0.9})
    answer = auto("a man with a thing", wordless)
    assert (answer.chosen, answer.keeps_prompt) == ("SafetyContext", True)


def test_auto_tells_every_reason_when_nobody_answers() -> None:
    with pytest.raises(ValueError, match=r"WordRemoval: .*; WordReplacement: "):
        Auto(otherwise=[WordRemoval(), WordReplacement()])("a man", Detection(is_unsafe=True, score=1.0))
    with pytest.raises(InvalidInput, match="otherwise"):
        Auto(otherwise=[])


def test_another_encoder_is_heard_by_the_safe_stream_only(tiny_pipe: Any, tmp_path: Path) -> None:
    own = tiny_pipe.text_encoder
    own.save_pretrained(tmp_path / "same")
    with torch.no_grad():
        other = type(own)(own.config).eval()
        other.embeddings.word_embeddings.weight.normal_(std=3.0)
    plain, _ = StableDiffusionText(tiny_pipe).encode(["a man with a knife"])
    same = ExternalEncoder.from_pretrained(tiny_pipe, tmp_path / "same")("a man with a knife", UNSAFE)
    assert torch.equal(same.prompt_embeds, plain)  # type: ignore[arg-type]
    heard = ExternalEncoder(tiny_pipe, other)("a man with a knife", UNSAFE).prompt_embeds
    assert (heard - plain).abs().max() > 0.1  # type: ignore[operator]
    assert tiny_pipe.text_encoder is own


def test_an_encoder_that_does_not_fit_is_refused(tiny_pipe: Any, tmp_path: Path) -> None:
    own = tiny_pipe.text_encoder
    config = type(own.config)(**{**own.config.to_dict(), "hidden_size": 16})
    with pytest.raises(InvalidInput, match="hidden_size 16"):
        ExternalEncoder(tiny_pipe, type(own)(config))
    with pytest.raises(InvalidInput, match="loading failed"):
        ExternalEncoder.from_pretrained(tiny_pipe, tmp_path / "nothing")


def test_a_word_inside_a_longer_replaced_one_is_replaced_with_it() -> None:
    found = Detection(is_unsafe=True, score=1.0, evidence=("knife", "kitchen knife"))
    assert WordReplacement()("a chef with a kitchen knife", found).prompt == "a chef with a paintbrush"
