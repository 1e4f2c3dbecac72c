"""ESD and the text encoder's tuning learn what they are told, and touch only the weights they name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from counterpoint.interfaces import InvalidInput, SafetyFailure
from counterpoint.methods import esd, safe_clip_tuning
from counterpoint.methods.edited import copy_of, pipeline_with
from counterpoint.methods.fine_tuning import fine_tune

ESD = {"concepts": ("knife", "sword"), "num_inference_steps": 3, "learning_rate": 1e-3}
TWINS = {"count": 20, "batch_size": 4, "learning_rate": 3e-3}


def loss_on_new_examples(pipe: Any, weights: dict[str, torch.Tensor]) -> float:
    student, frozen = copy_of(pipe.unet), pipeline_with(pipe)
    student.load_state_dict(weights, strict=False)
    trainer = esd.Trainer(frozen, student, esd.Options(**ESD, seed=99))
    with torch.no_grad():
        return sum(trainer.loss().item() for _ in range(6)) / 6


@pytest.mark.parametrize("variant", ["x", "u"])
def test_esd_lowers_its_loss_on_examples_that_it_has_not_seen(loud_pipe: Any, variant: Any) -> None:
    weights, losses = esd.train(loud_pipe, esd.Options(variant=variant, steps=25, **ESD))
    assert len(losses) == 25
    assert loss_on_new_examples(loud_pipe, weights) < 0.7 * loss_on_new_examples(loud_pipe, {})


def test_esd_x_trains_the_cross_attention_and_esd_u_all_else(tiny_pipe: Any) -> None:
    cross, other = (esd.trained_parameters(tiny_pipe.unet, variant).keys() for variant in "xu")
    assert all("attn2" in name for name in cross) and not any("attn2" in name for name in other)
    everything = {name for name, _ in tiny_pipe.unet.named_parameters() if "norm" not in name}
    assert set(cross) | set(other) == everything


def test_the_target_turns_away_from_the_concept() -> None:
    concept, uncond = torch.tensor([3.0]), torch.tensor([1.0])
    assert esd.erasing_target(concept, uncond, 0.0).item() == 3.0
    assert esd.erasing_target(concept, uncond, 1.0).item() == 1.0
    assert esd.erasing_target(concept, uncond, 2.0).item() == -1.0


def test_a_drawing_stops_after_the_steps_that_are_asked_for(tiny_pipe: Any) -> None:
    calls: list[int] = []
    handle = tiny_pipe.unet.register_forward_pre_hook(lambda *args: calls.append(1))
    tiny_pipe("a knife", num_inference_steps=7, output_type="latent", callback_on_step_end=esd.stop_after(3))
    handle.remove()
    assert len(calls) == 3


def test_training_is_decided_by_its_seed(tiny_pipe: Any) -> None:
    one, two, other = (esd.train(tiny_pipe, esd.Options(steps=2, seed=seed, **ESD))[1] for seed in (1, 1, 2))
    assert one == two != other


def test_the_text_encoder_learns_the_twins(tiny_pipe: Any) -> None:
    options = safe_clip_tuning.Options(steps=30, **TWINS)
    _, losses = safe_clip_tuning.train(tiny_pipe, options)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_twins_are_read_from_a_file(tiny_pipe: Any, tmp_path: Path) -> None:
    path = tmp_path / "twins.csv"
    path.write_text("unsafe,safe\na chef with a knife,a chef with a book\n")
    options = safe_clip_tuning.Options(twins=str(path), steps=1, batch_size=2)
    assert safe_clip_tuning.read_twins(options) == [("a chef with a knife", "a chef with a book")]
    recipe = safe_clip_tuning.build(tiny_pipe, options).recipe()
    assert "knife" not in str(recipe) and str(tmp_path) not in str(recipe)
    path.write_text("unsafe,safe\na chef with a knife\n")
    with pytest.raises(InvalidInput, match="two texts") as refused:
        safe_clip_tuning.read_twins(options)
    assert "knife" not in str(refused.value)
    path.write_text("prompt\nknife\n")
    with pytest.raises(InvalidInput, match="twins"):
        safe_clip_tuning.read_twins(options)


def test_a_loss_that_is_not_finite_stops_the_training() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    with pytest.raises(SafetyFailure, match="step 0"):
        fine_tune("broken", [parameter], lambda: (parameter / 0).sum(), steps=3, learning_rate=0.1)


def test_a_sweep_of_strengths_trains_once_and_ends_at_plain_and_trained(tiny_pipe: Any, tmp_path: Path) -> None:
    options: dict[str, Any] = {**ESD, "steps": 2, "folder": str(tmp_path)}
    start = tiny_pipe.unet.state_dict()
    trained, _ = esd.train(tiny_pipe, esd.Options(**options))
    for strength in (0.0, 0.5, 1.0, 2.0):
        method = esd.build(tiny_pipe, esd.Options(strength=strength, **options))
        assert method.recipe()["strength"] == strength
        drawing = method.pipe.unet.state_dict()  # type: ignore[attr-defined]
        for name, end in trained.items():
            exact = {0.0: start[name], 1.0: end}.get(strength)
            expected = start[name] + strength * (end - start[name]) if exact is None else exact
            torch.testing.assert_close(drawing[name], expected, rtol=0, atol=1e-6 if exact is None else 0)
    assert len(list(tmp_path.glob("esd-*.safetensors"))) == 1


def test_the_text_encoder_goes_part_of_the_way(tiny_pipe: Any, tmp_path: Path) -> None:
    options: dict[str, Any] = {**TWINS, "steps": 1, "folder": str(tmp_path)}
    plain, half = (
        safe_clip_tuning.build(tiny_pipe, safe_clip_tuning.Options(strength=strength, **options)).recipe()
        for strength in (0.0, 0.5)
    )
    assert plain["sha256"] != half["sha256"] and len(list(tmp_path.glob("safe_clip*"))) == 1
