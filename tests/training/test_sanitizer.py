"""The sanitizer: identity before training, nearer to the twin after it, refused where it does not fit."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline

from counterpoint.embedded import embedded_model_path, sanitizer_path
from counterpoint.embeddings.sanitizer import CONFIG, Sanitizer, SanitizerMap
from counterpoint.interfaces import Detection, InvalidInput
from counterpoint.scenes.captions import caption, twin_captions
from counterpoint.scenes.world import sample_scene
from counterpoint.text_space import StableDiffusionText
from counterpoint.training import sanitizer

FOUND = Detection(is_unsafe=True, score=1.0)


def write_pairs(path: Path) -> Path:
    rows = [
        f"a {who} with a knife in a {where},a {who} with a guitar in a {where}"
        for who in ("man", "woman", "chef", "robot") for where in ("forest", "beach", "room")
    ]  # fmt: skip
    path.write_text("\n".join(["unsafe,safe", *rows, "a cat,a cat"]) + "\n")
    return path


def test_training_moves_a_caption_towards_its_safe_twin(tiny_pipe: Any, tiny_model_path: str, tmp_path: Path) -> None:
    arguments = ["--model", tiny_model_path, "--pairs", str(write_pairs(tmp_path / "pairs.csv"))]
    options = ["--out", str(tmp_path / "run"), "--steps", "300", "--batch-size", "16", "--threads", "1"]
    assert sanitizer.main([*arguments, *options]) == 0
    text = StableDiffusionText(tiny_pipe)
    trained = Sanitizer(text, tmp_path / "run" / "weights")
    unsafe, twin = "a dog with a knife in a city", "a dog with a guitar in a city"  # in no pair
    mapped = trained(unsafe, FOUND).prompt_embeds
    (before, _), (target, _) = text.encode([unsafe]), text.encode([twin])
    assert mapped is not None and mapped.shape == before.shape
    assert (mapped - target).pow(2).mean() < 0.7 * (before - target).pow(2).mean()


def test_the_shipped_sanitizer_moves_unsafe_captions_to_their_twins_and_leaves_harmless_ones() -> None:
    text = StableDiffusionText(StableDiffusionPipeline.from_pretrained(embedded_model_path()))
    shipped, rng = Sanitizer(text, sanitizer_path()), random.Random(0)

    def distances(prompt: str, target: str) -> tuple[float, float]:
        """From the target: as mapped, and as it was."""
        mapped = shipped(prompt, FOUND).prompt_embeds
        (before, mask), (after, _) = text.encode([prompt]), text.encode([target])
        assert mapped is not None
        return float((mapped - after)[mask].pow(2).mean()), float((before - after)[mask].pow(2).mean())

    scenes = [sample_scene(rng, "test") for _ in range(80)]
    moved = [distances(*twin_captions(scene, rng)) for scene in scenes if scene.is_unsafe]
    kept = [distances(words, words)[0] for scene in scenes if not scene.is_unsafe for words in [caption(scene, rng)]]
    assert len(moved) > 20 and len(kept) > 20
    unsafe_before = sum(before for _, before in moved) / len(moved)
    assert sum(after for after, _ in moved) / len(moved) < 0.5 * unsafe_before
    assert sum(kept) / len(kept) < 0.1 * unsafe_before


def test_an_untrained_map_changes_nothing() -> None:
    embeds = torch.randn(2, 5, 16)
    assert torch.equal(SanitizerMap(16)(embeds), embeds)


def test_a_sanitizer_of_another_encoder_is_refused(tiny_pipe: Any, tmp_path: Path) -> None:
    text = StableDiffusionText(tiny_pipe)
    with pytest.raises(InvalidInput, match=CONFIG):
        Sanitizer(text, tmp_path)
    SanitizerMap(32).save_pretrained(tmp_path, fingerprint="CLIPTextModel-768-123060480")
    with pytest.raises(InvalidInput, match="CLIPTextModel-768"):
        Sanitizer(text, tmp_path)
    assert json.loads((tmp_path / CONFIG).read_text())["width"] == 32


def test_scene_pairs_hold_twins_and_harmless_captions() -> None:
    pairs = sanitizer.scene_pairs(30)
    assert sum(unsafe == safe for unsafe, safe in pairs) == 10
    assert sanitizer.scene_pairs(12) == pairs[:12]


def test_a_file_without_pairs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("prompt\na cat\n")
    with pytest.raises(ValueError, match="columns unsafe and safe"):
        sanitizer.read_pairs(tmp_path / "pairs.csv")
