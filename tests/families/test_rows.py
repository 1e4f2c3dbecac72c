"""The rows of docs/wrap-your-model.md: what an engaged picture costs, by kind of call."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from test_conformance import Build, arguments

from counterpoint.interfaces import Detection
from counterpoint.pipeline import SafePipeline

PAGE = Path(__file__).parents[2] / "docs" / "wrap-your-model.md"
ROW = re.compile(r"^\| `(\w+)` \| (\d+) \| (off|on) \| ([\d.]+) \|", re.MULTILINE)
TOLD = ROW.findall(PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "steps", "guidance", "rows"), TOLD)
def test_an_engaged_picture_costs_what_the_page_says(
    build: Build, name: str, steps: str, guidance: str, rows: str
) -> None:
    def gate(prompts: Any) -> list[Detection]:
        return [Detection(is_unsafe="knife" in prompt, score=1.0) for prompt in prompts]

    call = arguments(name) | {"num_inference_steps": int(steps)}
    if guidance == "off":
        call["guidance_scale"] = 0.0
    safe = SafePipeline(build(name), detector=gate)
    cost = safe("a chef with a knife in a room", safe_prompt="a chef in a room", **call).safety[0].cost
    assert cost.denoiser_rows / cost.plain_rows == pytest.approx(float(rows), abs=0.006)


def test_the_page_tells_of_calls_with_and_without_guidance() -> None:
    assert {guidance for _, _, guidance, _ in TOLD} == {"on", "off"} and len(TOLD) >= 8
