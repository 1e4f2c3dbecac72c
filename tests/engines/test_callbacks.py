"""Callbacks of diffusers' own kind: what one of them draws itself is none of the pipeline's steps either."""

from __future__ import annotations

import copy
from typing import Any

import diffusers
import pytest
import torch
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback
from torch import Generator

from counterpoint.interfaces import Detection, SafetyFailure
from counterpoint.mixing import MixingSchedule
from counterpoint.pipeline import SafePipeline

UNSAFE, SAFE = "a chef with a knife in a room", "a chef in a room"


def draw(pipe: Any, **call: Any) -> Any:
    own = {"safe_prompt": SAFE} if isinstance(pipe, SafePipeline) else {}
    return pipe(
        UNSAFE, num_inference_steps=4, output_type="latent", generator=Generator().manual_seed(0), **own, **call
    )


def guard(pipe: Any) -> SafePipeline:
    def gate(prompts: Any) -> list[Detection]:
        return [Detection(is_unsafe="knife" in prompt, score=1.0) for prompt in prompts]

    return SafePipeline(pipe, detector=gate, schedule=MixingSchedule(weight=0.6, tau=0.5))


class Preview(PipelineCallback):  # type: ignore[misc]  # diffusers has no types
    """Draws with the same denoiser after each step, and may make the prompt unknown to the engine."""

    tensor_inputs = ["latents", "prompt_embeds"]  # noqa: RUF012  # as diffusers declares it

    def __init__(self, pipe: Any, *, spoils: bool = False) -> None:
        super().__init__()
        self.other = type(pipe)(**{**pipe.components, "scheduler": copy.deepcopy(pipe.scheduler)})
        self.other.set_progress_bar_config(disable=True)
        self.spoils, self.drawn = spoils, 0

    def callback_fn(self, pipeline: Any, step_index: int, timesteps: Any, callback_kwargs: Any) -> dict[str, Any]:
        draw(self.other)
        self.drawn += 1
        if not self.spoils:
            return {}
        return {"prompt_embeds": callback_kwargs["prompt_embeds"] + 1.0}


@pytest.mark.parametrize("several", [False, True], ids=["alone", "in a list"])
def test_what_it_draws_is_none_of_the_steps(tiny_pipe: Any, several: bool) -> None:
    alone, preview = draw(guard(tiny_pipe)), Preview(tiny_pipe)
    given = MultiPipelineCallbacks([preview]) if several else preview
    output = draw(guard(tiny_pipe), callback_on_step_end=given)
    assert preview.drawn == 4 and torch.equal(output.images, alone.images)
    assert output.safety[0].cost.denoiser_rows == alone.safety[0].cost.denoiser_rows


@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"])
def test_a_scheduler_that_is_copied_in_the_callback_steps_by_itself(tiny_pipe: Any, scheduler: str) -> None:
    tiny_pipe.scheduler = getattr(diffusers, scheduler).from_config(tiny_pipe.scheduler.config)
    alone, expected, drawn = draw(guard(tiny_pipe)).images, draw(Preview(tiny_pipe).other).images, []

    def preview(pipe: Any, step: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
        drawn.append(draw(Preview(pipe).other).images)  # copies the scheduler now
        return {}

    assert torch.equal(draw(guard(tiny_pipe), callback_on_step_end=preview).images, alone)
    assert len(drawn) == 4 and all(torch.equal(one, expected) for one in drawn)
    assert "step" not in vars(tiny_pipe.scheduler)


def test_what_it_draws_does_not_count_as_mixed(tiny_pipe: Any) -> None:
    with pytest.raises(SafetyFailure, match="did not run at step 2"):
        draw(guard(tiny_pipe), callback_on_step_end=Preview(tiny_pipe, spoils=True))
