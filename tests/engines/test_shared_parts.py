"""Two pipelines with denoisers of their own and one scheduler, in two threads: they wait for each other."""

from __future__ import annotations

import copy
import threading
from typing import Any

import diffusers
import torch
from torch import Generator, Tensor

from counterpoint.interfaces import Detection
from counterpoint.mixing import MixingSchedule
from counterpoint.pipeline import SafePipeline

UNSAFE, SAFE = "a chef with a knife in a room", "a chef in a room"


def knife_gate(prompts: Any) -> list[Detection]:
    return [Detection(is_unsafe="knife" in prompt, score=1.0) for prompt in prompts]


def test_one_scheduler_in_two_threads(tiny_pipe: Any) -> None:
    """A multistep solver keeps earlier predictions: a step of the other's in between would spoil the picture."""
    tiny_pipe.scheduler = diffusers.DPMSolverMultistepScheduler.from_config(tiny_pipe.scheduler.config)
    other = type(tiny_pipe)(**{**tiny_pipe.components, "unet": copy.deepcopy(tiny_pipe.unet)})
    other.set_progress_bar_config(disable=True)
    guarded = [
        SafePipeline(pipe, detector=knife_gate, schedule=MixingSchedule(weight=0.6)) for pipe in (tiny_pipe, other)
    ]

    def draw(index: int) -> Tensor:
        steps = 6 + 3 * index
        output = guarded[index](
            UNSAFE, safe_prompt=SAFE, num_inference_steps=steps, output_type="latent",
            generator=Generator().manual_seed(0),
        )  # fmt: skip
        images: Tensor = output.images
        return images

    alone = [draw(0), draw(1)]
    together: list[tuple[int, Tensor]] = []
    start = threading.Barrier(2)

    def job(index: int) -> None:
        start.wait()
        together.extend((index, draw(index)) for _ in range(3))

    threads = [threading.Thread(target=job, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(together) == 6 and all(torch.equal(images, alone[index]) for index, images in together)
