"""AdvUnlearn-like (FGSM inner step on prompt embeddings), after Zhang et al. (NeurIPS 2024, arXiv:2405.15234).

A copy f of the text encoder f_0 is trained against the perturbation of a concept's word embeddings c that brings the
concept back; eps is the frozen UNet, z_t a latent of a drawing of the concept, z_r one of a text r that is to stay:

    inner   delta* = argmin_{|delta| <= epsilon} || eps(z_t, f(c + delta)) - eps(z_t, f_0(c)) ||^2
    outer   min_f  || eps(z_t, f(c + delta*)) - [eps(z_t, c) - eta (eps(z_t, c) - eps(z_t))] ||^2
                   + gamma || eps(z_r, f(r)) - eps(z_r, f_0(r)) ||^2

The inner problem is solved by one signed step from a random start (FGSM, as in fast adversarial training, Wong et
al., ICLR 2020, arXiv:2001.03994), anew for each step of the outer one, which begins without it (`warmup`).

What differs from the paper: it attacks by 30 steps on prefix tokens that are kept for 20 steps of training, where
this perturbs the concept's own tokens by one step; it draws z_t with the student, anew for each step, where this draws
each concept and as many kept words once, with the frozen model, and takes every latent of it as an example; it trains
1000 steps at 1e-5 with five kept prompts each, this 500 at 2e-5 with two. eta is counted from the concept here, as in
`esd`: the paper's 1 is 2. The token embeddings are not trained, as in the authors' code.
Cost: no rows more than plain; training is 2 x `num_inference_steps` rows for every concept, twice, then in each step
1 + 1 + `kept_batch` rows forward and back through UNet and text encoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import mse_loss

from counterpoint.methods.edited import EditedModel, Weights, copy_of, kept_in, part_way, pipeline_with
from counterpoint.methods.esd import erasing_target
from counterpoint.methods.fine_tuning import fine_tune
from counterpoint.methods.method import Method
from counterpoint.methods.option_checks import check_count, check_number
from counterpoint.methods.unsafe_words import HARMLESS_WORDS, words_or_default
from counterpoint.text_space import StableDiffusionText

BATCH = 8
"""Texts that are drawn at once."""
STEP = 1.25
"""Size of the signed step by epsilon, as in fast adversarial training."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is erased, what is kept, against how strong an attack, and how long."""

    concepts: tuple[str, ...] | None = None
    """Words; None = all of `unsafe_words`."""
    kept_concepts: tuple[str, ...] | None = None
    """Texts of the retain term; None = the harmless words of the scenes world."""
    steps: int = 500
    """Training steps, from 0; 0 = plain. Half of the paper's, at twice its learning rate."""
    warmup: float = 0.2
    """Share of the steps without an attack, 0..1; 1 = ESD on the text encoder."""
    epsilon: float = 0.5
    """Largest perturbation of a number of a word embedding, by the standard deviation of all of them, from 0."""
    learning_rate: float = 2e-5
    negative_guidance: float = 2.0
    """eta, from 0."""
    retain: float = 1.0
    """gamma, from 0."""
    kept_batch: int = 2
    """Examples of the retain term in each step, from 1."""
    num_inference_steps: int = 10
    """Of the drawings that give the examples, from 1."""
    guidance_scale: float = 3.0
    """With which they are drawn, above 1."""
    strength: float = 1.0
    """theta_0 + strength (theta - theta_0): 0 = plain, 1 = as trained, more = extrapolated. Ours, to sweep: the
    training is the same for all."""
    seed: int = 0
    """Decides drawings, examples and the start of each attack."""
    folder: str | None = None
    """Where the edited weights are kept for the next time."""

    def __post_init__(self) -> None:
        for name, low in (("steps", 0), ("kept_batch", 1), ("num_inference_steps", 1), ("seed", 0)):
            check_count(name, getattr(self, name), low)
        for name in ("epsilon", "learning_rate", "negative_guidance", "retain", "strength"):
            check_number(name, getattr(self, name), 0.0)
        check_number("warmup", self.warmup, 0.0, 1.0)
        check_number("guidance_scale", self.guidance_scale, 1.001)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One latent of one drawing, and what the frozen UNet answers to it."""

    text: str
    sample: Tensor
    """As the UNet reads it, (1, C, H, W)."""
    timestep: Tensor
    """(1,)."""
    answer: Tensor
    """With the text, (1, C, H, W)."""
    uncond: Tensor
    """Without it, (1, C, H, W)."""


def draw_examples(frozen: Any, texts: Sequence[str], options: Options) -> list[Example]:
    """Draw each text once, and return every step of every drawing.

    Args:
        frozen: A pipeline whose UNet nobody else runs.
        texts: What to draw.
        options: Steps, guidance and seed of the drawings.
    """
    examples: list[Example] = []
    for start in range(0, len(texts), BATCH):
        batch = list(texts[start : start + BATCH])

        def keep(module: Any, arguments: Any, output: Any, batch: list[str] = batch) -> None:
            sample, timestep = arguments[0], torch.as_tensor(arguments[1]).reshape(1)
            (_, samples), (uncond, answers) = sample.chunk(2), output[0].chunk(2)
            examples.extend(
                Example(text=text, sample=samples[n : n + 1], timestep=timestep, answer=answers[n : n + 1],
                        uncond=uncond[n : n + 1])
                for n, text in enumerate(batch)
            )  # fmt: skip

        handle = frozen.unet.register_forward_hook(keep)
        try:
            frozen(
                batch,
                num_inference_steps=options.num_inference_steps,
                guidance_scale=options.guidance_scale,
                generator=[torch.Generator().manual_seed(options.seed + start + n) for n in range(len(batch))],
                output_type="latent",
            )
        finally:
            handle.remove()
    return examples


@contextmanager
def perturbed(text_encoder: Any, delta: Tensor) -> Iterator[None]:
    """Add delta (1, L, D) to the word embeddings that the text encoder reads."""
    handle = text_encoder.get_input_embeddings().register_forward_hook(lambda module, arguments, output: output + delta)
    try:
        yield
    finally:
        handle.remove()


class Trainer:
    """Draws one example after the other, all decided by the seed, and attacks the student before each lesson.

    Args:
        learner: A pipeline with a UNet of its own, which trains nothing, and the student as its text encoder.
        concepts: Examples of what is erased.
        kept: Examples of what stays.
    """

    def __init__(self, learner: Any, concepts: Sequence[Example], kept: Sequence[Example], options: Options) -> None:
        self.learner, self.concepts, self.kept, self.options = learner, concepts, kept, options
        self.reader = StableDiffusionText(learner)
        self.generator = torch.Generator().manual_seed(options.seed)
        table = learner.text_encoder.get_input_embeddings().weight
        self.epsilon = options.epsilon * float(table.detach().float().std())
        self.step = 0

    def loss(self) -> Tensor:
        """Return the loss of the next example."""
        concept, *kept = self._draw(self.concepts, 1) + self._draw(self.kept, self.options.kept_batch)
        is_attacked = self.step >= self.options.warmup * self.options.steps
        self.step += 1
        with perturbed(self.learner.text_encoder, self.attack(concept) if is_attacked else torch.zeros(())):
            embeds = self._read([concept.text])
        answers = self._answer([concept, *kept], torch.cat([embeds, self._read([one.text for one in kept])]))
        target = erasing_target(concept.answer, concept.uncond, self.options.negative_guidance)
        erased = mse_loss(answers[:1], target)
        return erased + self.options.retain * mse_loss(answers[1:], torch.cat([one.answer for one in kept]))

    def attack(self, concept: Example) -> Tensor:
        """Return the perturbation (1, L, D) of the concept's words that brings its answer back; 0 on other tokens."""
        _, words = self.reader.encode([concept.text])
        width = self.learner.text_encoder.get_input_embeddings().weight.shape[1]
        start = torch.rand(1, words.shape[1], width, generator=self.generator) * 2.0 - 1.0
        mask = words[..., None].to(concept.sample)
        delta = (self.epsilon * start.to(concept.sample) * mask).requires_grad_()
        with perturbed(self.learner.text_encoder, delta):
            away = mse_loss(self._answer([concept], self._read([concept.text])), concept.answer)
        (gradient,) = torch.autograd.grad(away, delta)
        stepped = delta.detach() - STEP * self.epsilon * gradient.sign()
        return stepped.clamp(-self.epsilon, self.epsilon) * mask

    def _draw(self, examples: Sequence[Example], count: int) -> list[Example]:
        chosen = torch.randint(len(examples), (count,), generator=self.generator)
        return [examples[place] for place in chosen.tolist()]

    def _read(self, texts: list[str]) -> Tensor:
        embeds: Tensor = self.learner.encode_prompt(
            prompt=texts, device=self.learner._execution_device, num_images_per_prompt=1,
            do_classifier_free_guidance=False,
        )[0]  # fmt: skip
        return embeds

    def _answer(self, examples: Sequence[Example], embeds: Tensor) -> Tensor:
        samples, timesteps = (torch.cat([getattr(one, name) for one in examples]) for name in ("sample", "timestep"))
        answer: Tensor = self.learner.unet(samples, timesteps, encoder_hidden_states=embeds).sample
        return answer


def trained_parameters(text_encoder: Any) -> dict[str, Parameter]:
    """Return the weights of the text encoder, the token embeddings aside."""
    tokens = {id(parameter) for parameter in text_encoder.get_input_embeddings().parameters()}
    return {
        name: parameter
        for name, parameter in text_encoder.named_parameters()
        if parameter.is_floating_point() and id(parameter) not in tokens
    }


def kept_or_default(options: Options) -> tuple[str, ...]:
    """Return the texts of the retain term."""
    return HARMLESS_WORDS if options.kept_concepts is None else words_or_default(options.kept_concepts)


def some_of(texts: Sequence[str], count: int, options: Options) -> list[str]:
    """Return as many of the texts, or all where there are fewer, in an order that the seed decides."""
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(options.seed))
    return [texts[place] for place in order[:count].tolist()]


def train(pipe: Any, options: Options) -> tuple[Weights, list[float]]:
    """Return the trained weights of a copy of the text encoder, and the loss of each step."""
    student, unet = copy_of(pipe.text_encoder), copy_of(pipe.unet)
    frozen, learner = pipeline_with(pipe, unet=unet), pipeline_with(pipe, unet=unet, text_encoder=student)
    frozen.set_progress_bar_config(disable=True)
    parameters = trained_parameters(student)
    if options.steps == 0:  # nothing to draw examples for
        return {name: parameter.detach() for name, parameter in parameters.items()}, []
    words = words_or_default(options.concepts)
    with torch.no_grad():
        concepts = draw_examples(frozen, words, options)
        kept = draw_examples(frozen, some_of(kept_or_default(options), len(words), options), options)
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    losses = fine_tune(
        "AdvUnlearn-like", list(parameters.values()), Trainer(learner, concepts, kept, options).loss,
        steps=options.steps, learning_rate=options.learning_rate,
    )  # fmt: skip
    return {name: parameter.detach() for name, parameter in parameters.items()}, losses


def build(pipe: Any, options: Options) -> Method:
    """Return the method around a trained copy of the text encoder."""
    settings = {
        "method": "adv_unlearn", "about": "AdvUnlearn-like (FGSM inner step on prompt embeddings)", **asdict(options),
        "concepts": list(words_or_default(options.concepts)),
        "kept_concepts": list(kept_or_default(options)),
    }  # fmt: skip
    folder, strength = settings.pop("folder"), settings.pop("strength")
    weights = kept_in(folder, pipe, settings, lambda: train(pipe, options)[0])
    chosen = part_way(pipe.text_encoder, weights, strength)
    return EditedModel(pipe, "text_encoder", chosen, {**settings, "strength": strength})
