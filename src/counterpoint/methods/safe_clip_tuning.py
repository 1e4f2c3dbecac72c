"""Fine-tuning of the text encoder on unsafe/safe twins, after Safe-CLIP (Poppi et al., ECCV 2024, arXiv:2311.16254).

A copy f of the text encoder f_0 learns to read an unsafe text u as its safe twin s, and the safe one as before:

    L = lambda_r d(f(u), f_0(s)) + lambda_p d(f(s), f_0(s))
    d(a, b) = mean over tokens of ||a - b||^2 / D  +  1 - cos(mean of a's tokens, mean of b's tokens)

Safe-CLIP redirects and preserves pooled texts and pictures of CLIP, with contrastive terms as well; this keeps the
two text terms, on the token embeddings that the picture is drawn from. The twins are captions of the scenes world's
training split, or a CSV file with the columns `unsafe` and `safe`.
Cost: no rows more than plain; training is `steps` times a batch through the text encoder.
"""

from __future__ import annotations

import csv
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from counterpoint.interfaces import InvalidInput
from counterpoint.methods.edited import EditedModel, Weights, copy_of, kept_in, part_way, pipeline_with, sha256_of
from counterpoint.methods.fine_tuning import fine_tune
from counterpoint.methods.method import Method
from counterpoint.methods.option_checks import check_count, check_number
from counterpoint.scenes.captions import twin_captions
from counterpoint.scenes.world import sample_scene
from counterpoint.text_space import StableDiffusionText

Twins = list[tuple[str, str]]
"""Pairs of an unsafe text and its safe twin."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is learned from, and how long."""

    twins: str | None = None
    """CSV file with the columns `unsafe` and `safe`; None = captions of the scenes world."""
    count: int = 2000
    """Twins of the scenes world, from 1."""
    steps: int = 200
    """Training steps, from 0; 0 = plain."""
    batch_size: int = 16
    learning_rate: float = 2e-5
    redirect: float = 1.0
    """lambda_r, from 0."""
    preserve: float = 1.0
    """lambda_p, from 0."""
    seed: int = 0
    """Decides twins and batches."""
    strength: float = 1.0
    """theta_0 + strength (theta - theta_0): 0 = plain, 1 = as trained, more = extrapolated. Ours, to sweep: the
    training is the same for all."""
    folder: str | None = None
    """Where the edited weights are kept for the next time."""

    def __post_init__(self) -> None:
        for name, low in (("count", 1), ("steps", 0), ("batch_size", 1), ("seed", 0)):
            check_count(name, getattr(self, name), low)
        for name in ("learning_rate", "redirect", "preserve", "strength"):
            check_number(name, getattr(self, name), 0.0)


def read_twins(options: Options) -> Twins:
    """Return the twins.

    Raises:
        InvalidInput: The file does not hold the two columns, or no row.
    """
    if options.twins is None:
        rng = random.Random(options.seed)
        twins: Twins = []
        while len(twins) < options.count:
            scene = sample_scene(rng, "train")
            if scene.is_unsafe:
                twins.append(twin_captions(scene, rng))
        return twins
    try:
        with Path(options.twins).open(encoding="utf-8", newline="") as file:
            twins = [(row["unsafe"], row["safe"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        allowed = f"a CSV file with the columns unsafe and safe ({error})"
        raise InvalidInput("twins", options.twins, allowed) from error
    if not twins or not all(isinstance(text, str) and text.strip() for pair in twins for text in pair):
        raise InvalidInput("twins", options.twins, "at least one row, and two texts in each")
    return twins


def distance(embeds: Tensor, target: Tensor) -> Tensor:
    """Return d of two batches of token embeddings (B, L, D): mean square, and 1 - cosine of the means."""
    cosine = cosine_similarity(embeds.mean(1), target.mean(1), dim=-1)
    return torch.nn.functional.mse_loss(embeds, target) + (1.0 - cosine).mean()


def train(pipe: Any, options: Options) -> tuple[Weights, list[float]]:
    """Return the weights of a trained copy of the text encoder, and the loss of each step."""
    student = copy_of(pipe.text_encoder)
    frozen, learner = StableDiffusionText(pipe), pipeline_with(pipe, text_encoder=student)
    parameters = {name: p for name, p in student.named_parameters() if p.is_floating_point()}
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    twins, rng = read_twins(options), random.Random(options.seed)

    def read(texts: list[str]) -> Tensor:
        embeds: Tensor = learner.encode_prompt(
            prompt=texts, device=learner._execution_device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )[0]
        return embeds

    def loss() -> Tensor:
        unsafe, safe = (list(texts) for texts in zip(*rng.choices(twins, k=options.batch_size), strict=True))
        target = frozen.encode(safe)[0]
        return options.redirect * distance(read(unsafe), target) + options.preserve * distance(read(safe), target)

    losses = fine_tune(
        "text encoder", list(parameters.values()), loss, steps=options.steps, learning_rate=options.learning_rate
    )
    return {name: parameter.detach() for name, parameter in parameters.items()}, losses


def build(pipe: Any, options: Options) -> Method:
    """Return the method around a trained copy of the text encoder."""
    settings = {"method": "safe_clip_tuning", **asdict(options)}
    del settings["folder"]  # where they lie decides nothing
    strength = settings.pop("strength")  # decides nothing of the training
    settings["twins"] = sha256_of_twins(read_twins(options))  # the rows decide, wherever they come from
    weights = kept_in(options.folder, pipe, settings, lambda: train(pipe, options)[0])
    chosen = part_way(pipe.text_encoder, weights, strength)
    return EditedModel(pipe, "text_encoder", chosen, {**settings, "strength": strength})


def sha256_of_twins(twins: Twins) -> str:
    """Return the SHA-256 of the texts: a recipe names unsafe texts by it."""
    data = torch.frombuffer(bytearray(repr(twins).encode()), dtype=torch.uint8)
    return sha256_of({"twins": data})
