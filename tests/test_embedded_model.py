"""The model that the package ships: a plain diffusers folder that draws with and without counterpoint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline

from counterpoint import SafePipeline, embedded_model_path
from counterpoint.bench.cases import scenes_cases
from counterpoint.calls import default_guidance
from counterpoint.embedded import GUIDANCE_SCALE, is_embedded, recogniser_path
from counterpoint.recognisers import Recogniser
from counterpoint.scenes.vocabulary import BACKGROUNDS, OBJECTS, SUBJECTS

MAX_BYTES = 95_000_000
STEPS = 4

WITHOUT_COUNTERPOINT = """
import sys, torch
from diffusers import StableDiffusionPipeline
pipe = StableDiffusionPipeline.from_pretrained(sys.argv[1])
pipe.set_progress_bar_config(disable=True)
generator = torch.Generator().manual_seed(0)
picture = pipe("a cat on a beach", num_inference_steps=2, generator=generator).images[0]
assert picture.size == (128, 128) and picture.getcolors(128 * 128) and len(picture.getcolors(128 * 128)) > 1
assert "counterpoint" not in sys.modules
print(sorted({str(p.dtype) for part in (pipe.unet, pipe.vae, pipe.text_encoder) for p in part.parameters()}))
"""


@pytest.fixture(scope="module")
def safe() -> SafePipeline:
    pipe = StableDiffusionPipeline.from_pretrained(embedded_model_path())
    pipe.set_progress_bar_config(disable=True)
    return SafePipeline(pipe)


def test_folder_holds_safetensors_only_and_is_small() -> None:
    files = [path for path in Path(embedded_model_path()).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".txt"}


def test_plain_diffusers_draws_with_it(tmp_path: Path) -> None:
    command = (sys.executable, "-c", WITHOUT_COUNTERPOINT, embedded_model_path())
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "['torch.float32']"


def test_harmless_prompts_get_the_plain_picture_bit_for_bit(safe: SafePipeline) -> None:
    for case in scenes_cases("benign", split="test", count=6):
        pictures = []
        for draw in (safe.pipe, safe):
            generator = torch.Generator().manual_seed(case.seed)
            pictures.append(
                draw(case.prompt, num_inference_steps=STEPS, generator=generator, output_type="pt").images[0]
            )
        assert torch.equal(pictures[0], pictures[1])


def test_the_dial_changes_an_unsafe_picture_and_its_start_is_the_plain_one(safe: SafePipeline) -> None:
    def draw(safety: float) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        output = safe(
            "a chef with a knife in a room",
            safety=safety,
            num_inference_steps=STEPS,
            generator=generator,
            output_type="pt",
        )
        assert (output.safety[0].action == "steered") == (safety > 0)
        picture: torch.Tensor = output.images[0]
        return picture

    plain, steered = draw(0.0), draw(1.0)
    generator = torch.Generator().manual_seed(0)
    same = safe.pipe(
        "a chef with a knife in a room", num_inference_steps=STEPS, generator=generator, output_type="pt"
    ).images[0]
    assert torch.equal(plain, same)
    assert (plain - steered).abs().mean() > 0.005


@pytest.mark.parametrize("role", ["judge"])
def test_recognisers_know_the_whole_vocabulary(role: str) -> None:
    config = Recogniser.from_pretrained(recogniser_path(role)).config  # type: ignore[arg-type]
    assert config.role == role
    assert set(config.subjects) == set(SUBJECTS)
    assert set(config.objects) == {"none", *OBJECTS}
    assert set(config.backgrounds) == set(BACKGROUNDS)


def test_the_server_draws_it_as_the_commands_do(safe: SafePipeline, tiny_pipe: Any) -> None:
    assert (is_embedded(safe.pipe), is_embedded(tiny_pipe)) == (True, False)
    assert default_guidance(safe.pipe) == GUIDANCE_SCALE
    assert default_guidance(tiny_pipe) == 7.5
