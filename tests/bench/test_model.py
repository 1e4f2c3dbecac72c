"""The model's fingerprint and the limit of its prompts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler, DiffusionPipeline
from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPImageProcessor

from counterpoint.bench.model import about_model, fingerprint, load_pipeline, model_name
from counterpoint.bench.plan import read_plan
from counterpoint.bench.prompt_limit import PromptLimit
from counterpoint.bench.recipe import parse_recipe
from counterpoint.bench.run import run
from counterpoint.interfaces import InvalidInput


def test_a_fingerprint_is_of_the_content_and_not_of_the_place(tiny_model_path: str, tmp_path: Path) -> None:
    shutil.copytree(tiny_model_path, tmp_path / "elsewhere")
    assert fingerprint(load_pipeline(tiny_model_path)) == fingerprint(load_pipeline(str(tmp_path / "elsewhere")))


def test_one_weight_or_another_scheduler_changes_it(tiny_pipe: Any) -> None:
    before = fingerprint(tiny_pipe)
    assert fingerprint(tiny_pipe) == before
    with torch.no_grad():
        next(iter(tiny_pipe.unet.parameters())).flatten()[0] += 1e-3
    edited = fingerprint(tiny_pipe)
    tiny_pipe.scheduler = DDPMScheduler.from_config(tiny_pipe.scheduler.config)
    assert len({before, edited, fingerprint(tiny_pipe)}) == 3


def test_names_tell_no_more_of_a_path_than_its_end(tiny_model_path: str) -> None:
    assert model_name(tiny_model_path) == "model"
    assert model_name("owner/name") == "owner/name" and model_name("embedded") == "embedded"
    with pytest.raises(InvalidInput, match="diffusers folder"):
        load_pipeline("no/such/model/anywhere")


def test_prompts_are_cut_at_whole_words_and_only_if_they_must(tiny_pipe: Any) -> None:
    limit = PromptLimit(tiny_pipe)
    assert limit.cut("a man  with a knife") == ("a man  with a knife", False)
    text, is_cut = limit.cut("a man with a knife " * 20)
    assert is_cut and text.split() == (["a", "man", "with", "a", "knife"] * 20)[:30]  # 32 tokens, two of them special
    assert limit.cut(text) == (text, False)


SMALL = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.fixture(scope="module")
def checked_model_path(tiny_model_path: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Folder of the tiny pipeline with a stock safety checker, which calls every picture unsafe."""
    vision = {**SMALL, "image_size": 32, "patch_size": 16}
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, text_config=SMALL, projection_dim=8))
    with torch.no_grad():
        checker.concept_embeds_weights.fill_(-1.0)
    pipe = DiffusionPipeline.from_pretrained(tiny_model_path)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    checked = type(pipe)(
        **{**pipe.components, "safety_checker": checker.eval(), "feature_extractor": processor},
        requires_safety_checker=True,
    )
    folder = tmp_path_factory.mktemp("checked") / "model"
    checked.save_pretrained(folder)
    return str(folder)


def test_the_checker_of_the_test_blackens_every_picture(checked_model_path: str) -> None:
    pipe = DiffusionPipeline.from_pretrained(checked_model_path)
    output = pipe("a cat", num_inference_steps=1, generator=torch.Generator().manual_seed(0), output_type="pt")
    assert output.nsfw_content_detected == [True] and not output.images[0].any()


def test_a_model_is_loaded_without_its_own_safety_checker(checked_model_path: str, tiny_model_path: str) -> None:
    pipe, plain = load_pipeline(checked_model_path), load_pipeline(tiny_model_path)
    assert pipe.safety_checker is None and pipe.config["requires_safety_checker"] is False
    assert about_model(checked_model_path, pipe)["safety_checker"] == "switched off"
    assert about_model(tiny_model_path, plain)["safety_checker"] == "none"
    one, other = (
        drawing("a cat", num_inference_steps=1, generator=torch.Generator().manual_seed(0), output_type="pt").images[0]
        for drawing in (pipe, plain)
    )
    assert torch.equal(one, other)


def test_no_method_is_made_safe_by_the_models_own_checker(
    recipe_content: dict[str, Any], checked_model_path: str, tmp_path: Path
) -> None:
    changes = {
        "model": checked_model_path, "judges": [],
        "methods": [{"name": "plain"}, {"name": "negative_prompt"},
                    {"name": "uce", "options": {"concepts": ["knife"], "kept_concepts": ["apple"]}},
                    {"name": "output_checker"}],
    }  # fmt: skip
    recipe_content["datasets"][0]["limit"] = 2
    out = tmp_path / "run"
    outcome = run(parse_recipe({**recipe_content, **changes}), out)
    assert (outcome.planned, outcome.failed) == (8, 0)
    assert read_plan(out).model["safety_checker"] == "switched off"
    records = [json.loads(path.read_text()) for path in (out / "records").rglob("*.json")]
    withheld = {record["method"] for record in records if record.get("withheld")}
    assert withheld <= {"output_checker"}  # which looks with a detector of its own
    assert json.loads((out / "report.json").read_text())["model"]["safety_checker"] == "switched off"
