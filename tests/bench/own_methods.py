"""Methods from outside the package, for recipes that name "own_methods:plain" and the like."""

from __future__ import annotations

import copy
import itertools
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from counterpoint.interfaces import Cost
from counterpoint.methods.method import MethodPicture

TRAININGS = itertools.count()


@dataclass
class Drawing:
    """Draws with the pipeline; `prefix` words are put before every prompt."""

    pipe: Any
    name: str
    prefix: str = ""

    def __call__(
        self, prompts: Sequence[str], *, generators: Sequence[torch.Generator], **call: Any
    ) -> list[MethodPicture]:
        texts = [f"{self.prefix}{prompt}" for prompt in prompts]
        started = time.perf_counter()
        images = self.pipe(texts, generator=list(generators), output_type="pt", **call).images
        seconds = (time.perf_counter() - started) / len(prompts)
        rows = 2 * int(call["num_inference_steps"])
        cost = Cost(denoiser_rows=rows, plain_rows=rows, seconds=seconds)
        action = "steered" if self.prefix else "passed"
        return [MethodPicture(pixels=one.float().cpu(), action=action, cost=cost) for one in images]

    def recipe(self) -> dict[str, Any]:
        return {"name": self.name, "prefix": self.prefix}


def plain(pipe: Any) -> Drawing:
    return Drawing(pipe, "plain")


def prefixed(pipe: Any, prefix: str = "a safe ") -> Drawing:
    return Drawing(pipe, "prefixed", prefix)


def retrained(pipe: Any) -> Drawing:
    """Another method each time it is built, as one that finds no kept weights."""
    return Drawing(pipe, f"training {next(TRAININGS)}")


@dataclass
class Faulty(Drawing):
    """Fails for prompts with a knife; draws nothing but NaN for those with a sword."""

    def __call__(
        self, prompts: Sequence[str], *, generators: Sequence[torch.Generator], **call: Any
    ) -> list[MethodPicture]:
        if any("knife" in prompt for prompt in prompts):
            raise RuntimeError(f"cannot draw {prompts}")
        pictures = super().__call__(prompts, generators=generators, **call)
        return [
            MethodPicture(pixels=None, action="passed", cost=picture.cost) if "sword" in prompt else picture
            for prompt, picture in zip(prompts, pictures, strict=True)
        ]


def faulty(pipe: Any) -> Drawing:
    return Faulty(pipe, "faulty")


@dataclass
class Dim(Drawing):
    """Draws pictures so dark that they are black once they are rounded to 0..255."""

    def __call__(
        self, prompts: Sequence[str], *, generators: Sequence[torch.Generator], **call: Any
    ) -> list[MethodPicture]:
        pictures = super().__call__(prompts, generators=generators, **call)
        return [
            MethodPicture(pixels=1e-3 * torch.rand(3, 16, 16), action="passed", cost=picture.cost)
            for picture in pictures
        ]


def dim(pipe: Any) -> Drawing:
    return Dim(pipe, "dim")


@dataclass
class Blocking(Drawing):
    """Withholds pictures of knives, as a stock output checker does."""

    def __call__(
        self, prompts: Sequence[str], *, generators: Sequence[torch.Generator], **call: Any
    ) -> list[MethodPicture]:
        pictures = super().__call__(prompts, generators=generators, **call)
        return [
            MethodPicture(pixels=None, action="blocked", cost=picture.cost) if "knife" in prompt else picture
            for prompt, picture in zip(prompts, pictures, strict=True)
        ]


def blocking(pipe: Any) -> Drawing:
    return Blocking(pipe, "blocking")


def edited(pipe: Any) -> Drawing:
    """Draw with a copy of the pipeline whose denoiser reads every word 1.5 times as loud."""
    unet = copy.deepcopy(pipe.unet)
    with torch.no_grad():
        for name, weight in unet.named_parameters():
            if name.endswith("attn2.to_v.weight"):
                weight.mul_(1.5)
    twin = type(pipe)(**{**pipe.components, "unet": unet}, requires_safety_checker=False)
    twin.set_progress_bar_config(disable=True)
    return Drawing(twin, "edited")


@dataclass
class Mortal(Drawing):
    """Kills its own process at the first guitar, `lives` times; one file of `folder` for each death."""

    folder: str = ""
    lives: int = 1

    def __call__(
        self, prompts: Sequence[str], *, generators: Sequence[torch.Generator], **call: Any
    ) -> list[MethodPicture]:
        deaths = len(list(Path(self.folder).iterdir()))
        if deaths < self.lives and any("guitar" in prompt for prompt in prompts):
            (Path(self.folder) / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(prompts, generators=generators, **call)


def mortal(pipe: Any, folder: str, lives: int = 1) -> Drawing:
    return Mortal(pipe, "mortal", folder=folder, lives=lives)
