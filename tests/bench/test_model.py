"""The model's fingerprint and the limit of its prompts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler

from counterpoint.bench.model import fingerprint, load_pipeline, model_name
from counterpoint.bench.prompt_limit import PromptLimit
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
