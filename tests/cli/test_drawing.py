"""The drawing commands on pipelines whose call is not Stable Diffusion's."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import diffusers
import pytest

from counterpoint.cli import drawing
from counterpoint.families import families
from counterpoint.interfaces import InvalidInput

CLASSES = [name for family in families() for name in family.pipelines]
PLAN = drawing.Plan(prompt="a cat on a beach", safe_prompt=None, steps=2, model="some/model", save_prompt=False)


class Recorder:
    """Stands for a SafePipeline: keeps the call it is given, and calls its callback once."""

    def __init__(self, name: str) -> None:
        cls = getattr(diffusers, name)
        self.pipe = cls.__new__(cls)
        self.family = next(family for family in families() if name in family.pipelines)
        self.call: dict[str, Any] = {}

    def __call__(self, prompt: str, **call: Any) -> Any:
        self.call = call
        if "callback_on_step_end" in call:
            assert call["callback_on_step_end"](self.pipe, 0, 0, {}) == {}
        if "callback" in call:
            call["callback"](0, 0, None)
        return SimpleNamespace(**{self.family.output: ["picture"], "safety": ["report"]})


@pytest.mark.parametrize("name", CLASSES)
def test_each_pipeline_is_called_with_what_it_takes_and_each_step_is_told(name: str) -> None:
    safe, steps = Recorder(name), []
    if safe.family.is_video:
        with pytest.raises(InvalidInput, match="a model of pictures"):
            drawing.draw(safe, PLAN, seed=0, safety=0.5, on_step=lambda: None)  # type: ignore[arg-type]
        return
    drawing.draw(safe, PLAN, seed=0, safety=0.5, on_step=lambda: steps.append(0))  # type: ignore[arg-type]
    assert len(steps) == 1
    own = {"safety", "safe_prompt"}
    assert safe.call.keys() - own <= inspect.signature(getattr(diffusers, name).__call__).parameters.keys()


@pytest.mark.parametrize("name", CLASSES)
def test_the_record_names_the_guidance_of_each_pipeline(name: str) -> None:
    stand_in = type(name, (), {"__call__": getattr(diffusers, name).__call__, "scheduler": None})
    assert PLAN.record(stand_in(), seed=0, report={}).guidance_scale >= 1.0
