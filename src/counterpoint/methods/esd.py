"""ESD, erased stable diffusion (Gandikota et al., ICCV 2023, arXiv:2303.07345): a copy of the UNet is fine-tuned.

    min_theta  || eps_theta(z_t, c, t) - [eps(z_t, c, t) - eta (eps(z_t, c, t) - eps(z_t, t))] ||^2       eq. 7, 8

eps is the frozen model, z_t what it draws of the concept c down to a random step of its schedule. ESD-x trains the
cross-attention (the concept as a word), ESD-u all other layers (the concept whatever the words). One of the concepts
is drawn for each step. The numbers are those of the authors' diffusers code; the paper trains 1000 steps with a
learning rate of 1e-5, and counts eta from the unconditional answer: its 1 is 2 here.
Cost: no rows more than plain; training is `steps` times one forward and backward pass, 2 rows of the frozen model,
and on average 2 x `num_inference_steps` / 2 rows to draw z_t.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import Parameter

from counterpoint.methods.edited import EditedModel, Weights, copy_of, kept_in, part_way, pipeline_with
from counterpoint.methods.fine_tuning import fine_tune
from counterpoint.methods.method import Method
from counterpoint.methods.option_checks import check_choice, check_count, check_number
from counterpoint.methods.unsafe_words import words_or_default
from counterpoint.text_space import StableDiffusionText


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is erased, where, and how long."""

    variant: Literal["x", "u"] = "x"
    concepts: tuple[str, ...] | None = None
    """Words; None = all of `unsafe_words`."""
    steps: int = 200
    """Training steps, from 0; 0 = plain."""
    learning_rate: float = 5e-5
    negative_guidance: float = 2.0
    """eta, from 0."""
    num_inference_steps: int = 50
    """Of the schedule that z_t is drawn with, from 2."""
    guidance_scale: float = 3.0
    """With which z_t is drawn."""
    strength: float = 1.0
    """theta_0 + strength (theta - theta_0): 0 = plain, 1 = as trained, more = extrapolated. Ours, to sweep: the
    training is the same for all."""
    seed: int = 0
    """Decides concepts, steps and noise of the training."""
    folder: str | None = None
    """Where the edited weights are kept for the next time."""

    def __post_init__(self) -> None:
        check_choice("variant", self.variant, ("x", "u"))
        check_count("steps", self.steps, 0)
        check_count("num_inference_steps", self.num_inference_steps, 2)
        check_count("seed", self.seed, 0)
        check_number("learning_rate", self.learning_rate, 0.0)
        check_number("negative_guidance", self.negative_guidance, 0.0)
        check_number("guidance_scale", self.guidance_scale, 1.0)
        check_number("strength", self.strength, 0.0)


def erasing_target(concept: Tensor, uncond: Tensor, negative_guidance: float) -> Tensor:
    """Return what the concept's answer shall become: e_c - eta (e_c - e_u)."""
    return concept - negative_guidance * (concept - uncond)


def trained_parameters(unet: Any, variant: str) -> dict[str, Parameter]:
    """Return the weights of linear and convolution layers: of the cross-attention ("x"), or of all else ("u")."""
    layers = {
        name: module
        for name, module in unet.named_modules()
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)) and ("attn2" in name) == (variant == "x")
    }
    return {
        f"{name}.{own}": parameter for name, module in layers.items() for own, parameter in module.named_parameters()
    }


class Trainer:
    """Draws one example after the other, all decided by the seed.

    Args:
        pipe: The frozen model, with a scheduler that nobody else uses.
        student: The copy of its UNet that is trained.
    """

    def __init__(self, pipe: Any, student: Any, options: Options) -> None:
        self.pipe, self.student, self.options = pipe, student, options
        self.words = words_or_default(options.concepts)
        self.reader = StableDiffusionText(pipe)
        self.generator = torch.Generator().manual_seed(options.seed)

    def _draw_number(self, count: int) -> int:
        return int(torch.randint(count, (1,), generator=self.generator))

    def loss(self) -> Tensor:
        """Return the loss of the next example."""
        word = self.words[self._draw_number(len(self.words))]
        done = 1 + self._draw_number(self.options.num_inference_steps - 1)  # steps that are drawn already
        with torch.no_grad():
            latents = self.pipe(
                word,
                num_inference_steps=self.options.num_inference_steps,
                guidance_scale=self.options.guidance_scale,
                generator=self.generator,
                output_type="latent",
                callback_on_step_end=stop_after(done),
            ).images
            timestep = self.pipe.scheduler.timesteps[min(done, len(self.pipe.scheduler.timesteps) - 1)]
            sample = self.pipe.scheduler.scale_model_input(latents, timestep)
            embeds, uncond_embeds = self.reader.encode_for({"guidance_scale": self.options.guidance_scale}, word)
            assert uncond_embeds is not None
            concept, uncond = self.pipe.unet(
                torch.cat([sample, sample]), timestep, encoder_hidden_states=torch.cat([embeds, uncond_embeds])
            ).sample.chunk(2)
            target = erasing_target(concept, uncond, self.options.negative_guidance)
        return torch.nn.functional.mse_loss(self.student(sample, timestep, encoder_hidden_states=embeds).sample, target)


def stop_after(steps: int) -> Callable[..., dict[str, Any]]:
    """Return a `callback_on_step_end` that ends the drawing after some steps, as diffusers documents it."""

    def callback(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        pipe._interrupt = step + 1 >= steps
        return {}

    return callback


def train(pipe: Any, options: Options) -> tuple[Weights, list[float]]:
    """Return the trained weights of a copy of the UNet, and the loss of each step."""
    student, frozen = copy_of(pipe.unet), pipeline_with(pipe)
    frozen.set_progress_bar_config(disable=True)
    parameters = trained_parameters(student, options.variant)
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    losses = fine_tune(
        f"ESD-{options.variant}", list(parameters.values()), Trainer(frozen, student, options).loss,
        steps=options.steps, learning_rate=options.learning_rate,
    )  # fmt: skip
    return {name: parameter.detach() for name, parameter in parameters.items()}, losses


def build(pipe: Any, options: Options) -> Method:
    """Return the method around a trained copy of the UNet."""
    settings = {"method": "esd", **asdict(options), "concepts": list(words_or_default(options.concepts))}
    folder, strength = settings.pop("folder"), settings.pop("strength")
    weights = kept_in(folder, pipe, settings, lambda: train(pipe, options)[0])
    return EditedModel(pipe, "unet", part_way(pipe.unet, weights, strength), {**settings, "strength": strength})
