"""The AdvUnlearn-like method: its examples, its attack, and that training against the attack withstands it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from counterpoint.interfaces import InvalidInput
from counterpoint.methods import adv_unlearn
from counterpoint.methods.adv_unlearn import Example, Options, Trainer
from counterpoint.methods.edited import copy_of, pipeline_with
from counterpoint.text_space import StableDiffusionText

WORDS = ("knife", "sword", "cigarette")
QUICK: dict[str, Any] = {"concepts": WORDS, "kept_concepts": ("cat", "dog", "apple"), "num_inference_steps": 3}


def examples_of(pipe: Any, words: Sequence[str] = WORDS, **changes: Any) -> list[Example]:
    frozen = pipeline_with(pipe, unet=copy_of(pipe.unet))
    with torch.no_grad():
        return adv_unlearn.draw_examples(frozen, words, Options(**{**QUICK, **changes}))


def trainer_of(pipe: Any, weights: dict[str, Tensor], **changes: Any) -> Trainer:
    student = copy_of(pipe.text_encoder)
    student.load_state_dict(weights, strict=False)
    learner = pipeline_with(pipe, unet=copy_of(pipe.unet), text_encoder=student)
    options = Options(**{**QUICK, **changes})
    return Trainer(learner, examples_of(pipe, seed=50), examples_of(pipe, ("cat", "dog", "apple"), seed=50), options)


def mean_loss(trainer: Trainer, count: int = 12) -> float:
    return sum(trainer.loss().item() for _ in range(count)) / count


def test_every_step_of_every_drawing_is_an_example_of_the_frozen_model(loud_pipe: Any) -> None:
    examples = examples_of(loud_pipe)
    assert len(examples) == 3 * len(WORDS)
    assert [one.text for one in examples[:3]] == list(WORDS)
    assert len({int(one.timestep) for one in examples}) == 3
    reader = StableDiffusionText(loud_pipe)
    for one in examples:
        embeds, uncond = reader.encode_for({"guidance_scale": 3.0}, one.text)
        with torch.no_grad():
            for text, answer in ((embeds, one.answer), (uncond, one.uncond)):
                again = loud_pipe.unet(one.sample, one.timestep, encoder_hidden_states=text).sample
                torch.testing.assert_close(again, answer, rtol=1e-4, atol=1e-4)
    assert not torch.equal(examples[0].answer, examples[0].uncond)


def test_the_attack_stays_within_epsilon_and_on_the_words(loud_pipe: Any) -> None:
    trainer = trainer_of(loud_pipe, {}, epsilon=0.25)
    concept = trainer.concepts[0]
    _, words = trainer.reader.encode([concept.text])
    delta = trainer.attack(concept)
    assert delta.shape[:2] == words.shape
    assert 0.0 < delta.abs().max() <= trainer.epsilon * (1 + 1e-6)
    assert torch.equal(delta[0][~words[0]], torch.zeros_like(delta[0][~words[0]]))
    table = loud_pipe.text_encoder.get_input_embeddings().weight
    assert trainer.epsilon == pytest.approx(0.25 * table.std().item())


def test_the_attack_brings_the_concept_back_better_than_chance(loud_pipe: Any) -> None:
    """On a student that has unlearned without an attack; the same bound for both."""
    options = Options(steps=25, warmup=1.0, learning_rate=3e-3, **QUICK)
    weights, _ = adv_unlearn.train(loud_pipe, options)
    trainer = trainer_of(loud_pipe, weights)

    def away(concept: Example, delta: Tensor) -> float:
        with torch.no_grad(), adv_unlearn.perturbed(trainer.learner.text_encoder, delta):
            answer = trainer._answer([concept], trainer._read([concept.text]))
        return torch.nn.functional.mse_loss(answer, concept.answer).item()

    generator = torch.Generator().manual_seed(7)
    attacked, chance = 0.0, 0.0
    for concept in trainer.concepts:
        delta = trainer.attack(concept)
        noise = trainer.epsilon * torch.randn(delta.shape, generator=generator).sign() * (delta != 0)
        attacked, chance = attacked + away(concept, delta), chance + away(concept, noise)
    assert attacked < 0.9 * chance


def test_training_against_the_attack_withstands_it_better(loud_pipe: Any) -> None:
    """On examples that none has seen, under the attack, the retain term aside."""

    def under_attack(weights: dict[str, Tensor]) -> float:
        return mean_loss(trainer_of(loud_pipe, weights, warmup=0.0, retain=0.0, seed=99), 30)

    trained = {
        warmup: adv_unlearn.train(loud_pipe, Options(steps=80, warmup=warmup, learning_rate=1e-3, **QUICK))[0]
        for warmup in (0.0, 1.0)
    }
    adversarial, esd_only, plain = (under_attack(weights) for weights in (trained[0.0], trained[1.0], {}))
    assert adversarial < 0.75 * esd_only and esd_only < 0.6 * plain


def test_the_retain_term_keeps_what_it_names(loud_pipe: Any) -> None:
    def moved(retain: float) -> float:
        options = Options(steps=30, learning_rate=3e-3, retain=retain, **QUICK)
        weights, _ = adv_unlearn.train(loud_pipe, options)
        trainer = trainer_of(loud_pipe, weights)
        with torch.no_grad():
            answers = trainer._answer(trainer.kept, trainer._read([one.text for one in trainer.kept]))
        return torch.nn.functional.mse_loss(answers, torch.cat([one.answer for one in trainer.kept])).item()

    assert moved(5.0) < 0.7 * moved(0.0)


def test_the_token_embeddings_are_not_trained(tiny_pipe: Any) -> None:
    weights, _ = adv_unlearn.train(tiny_pipe, Options(steps=1, **QUICK))
    tokens = tiny_pipe.text_encoder.get_input_embeddings().weight
    assert not any(weight.shape == tokens.shape for weight in weights.values())
    assert set(weights) < set(dict(tiny_pipe.text_encoder.named_parameters()))


def test_training_is_decided_by_its_seed(tiny_pipe: Any) -> None:
    one, two, other = (adv_unlearn.train(tiny_pipe, Options(steps=3, seed=seed, **QUICK))[1] for seed in (1, 1, 2))
    assert one == two != other


def test_the_recipe_says_what_it_is_and_a_sweep_trains_once(tiny_pipe: Any, tmp_path: Path) -> None:
    options: dict[str, Any] = {**QUICK, "steps": 2, "folder": str(tmp_path)}
    half, whole = (adv_unlearn.build(tiny_pipe, Options(strength=s, **options)).recipe() for s in (0.5, 1.0))
    assert half["sha256"] != whole["sha256"] and len(list(tmp_path.glob("adv_unlearn-*.safetensors"))) == 1
    assert whole["about"] == "AdvUnlearn-like (FGSM inner step on prompt embeddings)"
    assert whole["edited"] == "text_encoder" and str(tmp_path) not in str(whole)


@pytest.mark.parametrize(
    "wrong", [{"warmup": 1.5}, {"epsilon": -0.1}, {"guidance_scale": 1.0}, {"kept_batch": 0}, {"steps": -1}]
)
def test_wrong_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        Options(**wrong)
