"""What every method promises, tried on all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from torch import Tensor

from counterpoint.interfaces import Detection, ForbiddenPrompt, InvalidInput
from counterpoint.methods.catalogue import build_method, names

WORDS = ("knife", "sword", "cigarette")
PROMPTS = ("a chef with a knife in a room", "a cat on a beach")
CALL: dict[str, Any] = {"num_inference_steps": 3}


class Nobody:
    """A picture detector that finds nothing."""

    def __call__(self, pictures: Sequence[Image.Image]) -> list[Detection]:
        return [Detection(is_unsafe=False, score=0.0) for _ in pictures]


QUICK: dict[str, dict[str, Any]] = {
    "plain": {},
    "negative_prompt": {"concepts": WORDS},
    "safe_prompt": {"gate": "open"},
    "dual_latent": {"gate": "open", "safety": "high"},
    "sld": {"concepts": WORDS, "preset": "max"},
    "safree": {"concepts": WORDS, "filtered_share": 1.0, "latent_reattention": True},
    "sega": {"concepts": WORDS, "edit_warmup_steps": 0},
    "uce": {"concepts": WORDS, "kept_concepts": ()},
    "rece": {"concepts": WORDS, "kept_concepts": ()},
    "esd": {"concepts": WORDS, "steps": 2, "num_inference_steps": 3, "learning_rate": 1e-3},
    "safe_clip_tuning": {"count": 8, "steps": 2, "batch_size": 2, "learning_rate": 1e-2},
    "adv_unlearn": {"concepts": WORDS, "steps": 2, "num_inference_steps": 2, "warmup": 0.0, "learning_rate": 1e-2},
    "output_checker": {"detector": Nobody()},
}
NEUTRAL: dict[str, dict[str, Any]] = {
    "plain": {},
    "negative_prompt": {"strength": 0.0},
    "dual_latent": {"safety": 0.0},
    "sld": {"strength": 0.0},
    "safree": {"strength": 0.0},
    "sega": {"edit_guidance_scale": 0.0},
    "uce": {"erase_scale": 0.0},
    "rece": {"erase_scale": 0.0},
    "esd": {"steps": 0},
    "safe_clip_tuning": {"steps": 0},
    "adv_unlearn": {"steps": 0},
    "output_checker": {},
}
"""Changes to QUICK; the full replacement has no scale."""


def seeds(*numbers: int) -> list[torch.Generator]:
    return [torch.Generator("cpu").manual_seed(number) for number in numbers]


ROUNDING = 2e-4
"""Batches of another size round otherwise; SLD's and SEGA's thresholds make a little more of it."""


@pytest.fixture(scope="module")
def shared_pipe(tiny_model_path: str) -> Any:
    pipe = StableDiffusionPipeline.from_pretrained(tiny_model_path)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def built(shared_pipe: Any) -> dict[str, Any]:
    return {name: build_method(name, shared_pipe, QUICK[name]) for name in names()}


def plain(pipe: Any, *numbers: int) -> Tensor:
    return pipe(list(PROMPTS), generator=seeds(*numbers), output_type="pt", **CALL).images


def drawn(method: Any, prompts: Any = PROMPTS, numbers: Any = (1, 2)) -> Tensor:
    return torch.stack([picture.pixels for picture in method(prompts, generators=seeds(*numbers), **CALL)])


def state_of(pipe: Any) -> dict[str, Any]:
    """Everything of a pipeline that a method must leave as it is."""
    state: dict[str, Any] = {"parts": {name: id(part) for name, part in pipe.components.items()}}
    for name in ("unet", "text_encoder", "vae"):
        module = getattr(pipe, name)
        state |= {f"{name}.{key}": tensor.clone() for key, tensor in module.state_dict().items()}
        for path, part in module.named_modules():
            hooks = (part._forward_hooks, part._forward_pre_hooks, part._backward_hooks)
            own = tuple(sorted(set(part.__dict__) & {"forward"}))
            state[f"{name} {path}"] = (tuple(tuple(each) for each in hooks), own, part.training)
        state[f"{name} grad"] = [(p.requires_grad, p.grad) for p in module.parameters()]
    state["scheduler"] = (dict(pipe.scheduler.config), "step" in pipe.scheduler.__dict__)
    return state


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert before.keys() == after.keys()
    for key, value in before.items():
        same = torch.equal(value, after[key]) if isinstance(value, Tensor) else value == after[key]
        assert same, key


def test_all_methods_are_tried() -> None:
    assert set(names()) == set(QUICK)
    assert set(names()) == set(NEUTRAL) | {"safe_prompt"}


@pytest.mark.parametrize("name", sorted(QUICK))
def test_same_generators_same_pictures(built: dict[str, Any], name: str) -> None:
    assert torch.equal(drawn(built[name]), drawn(built[name]))


@pytest.mark.parametrize("name", sorted(QUICK))
def test_other_noise_other_pictures(built: dict[str, Any], name: str) -> None:
    assert (drawn(built[name]) - drawn(built[name], numbers=(4, 5))).abs().amax((1, 2, 3)).min() > 0.01


@pytest.mark.parametrize("name", sorted(QUICK))
def test_a_picture_does_not_depend_on_its_neighbours(built: dict[str, Any], name: str) -> None:
    together = drawn(built[name])
    alone = torch.cat([drawn(built[name], [prompt], [index + 1]) for index, prompt in enumerate(PROMPTS)])
    assert (together - alone).abs().max() < ROUNDING


@pytest.mark.parametrize("name", sorted(QUICK))
def test_building_and_drawing_leave_the_pipeline_as_it_is(tiny_pipe: Any, name: str) -> None:
    before, picture = state_of(tiny_pipe), plain(tiny_pipe, 1, 2)
    drawn(build_method(name, tiny_pipe, QUICK[name]))
    assert_same(before, state_of(tiny_pipe))
    assert torch.equal(picture, plain(tiny_pipe, 1, 2))


@pytest.mark.parametrize("name", sorted(QUICK))
def test_a_failure_leaves_the_pipeline_as_it_is(tiny_pipe: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method = build_method(name, tiny_pipe, QUICK[name])
    denoiser, before = getattr(method, "pipe", tiny_pipe).unet, state_of(tiny_pipe)
    whole = denoiser.conv_out.forward

    def fail(*args: Any) -> Any:
        raise OSError("broken")

    fail.keeps_no_features = True  # type: ignore[attr-defined]
    monkeypatch.setattr(denoiser.conv_out, "forward", fail)
    with pytest.raises(OSError, match="broken"):
        drawn(method)
    monkeypatch.setattr(denoiser.conv_out, "forward", whole)
    del denoiser.conv_out.forward
    assert_same(before, state_of(tiny_pipe))


@pytest.mark.parametrize("name", sorted(set(QUICK) - {"plain", "output_checker"}))
def test_a_method_changes_the_picture(built: dict[str, Any], shared_pipe: Any, name: str) -> None:
    assert (drawn(built[name]) - plain(shared_pipe, 1, 2)).abs().max() > 10 * ROUNDING


BIT_FOR_BIT = ["plain", "output_checker", "dual_latent", "uce", "rece", "esd", "safe_clip_tuning", "adv_unlearn"]


@pytest.mark.parametrize("name", BIT_FOR_BIT)
def test_without_strength_it_is_the_plain_picture_bit_for_bit(shared_pipe: Any, name: str) -> None:
    method = build_method(name, shared_pipe, QUICK[name] | NEUTRAL[name])
    assert torch.equal(drawn(method), plain(shared_pipe, 1, 2))


@pytest.mark.parametrize("name", ["negative_prompt", "sld", "sega", "safree"])
def test_without_strength_it_is_the_plain_picture(shared_pipe: Any, name: str) -> None:
    method = build_method(name, shared_pipe, QUICK[name] | NEUTRAL[name] | {
        key: value for key, value in {"latent_reattention": False}.items() if name == "safree"
    })  # fmt: skip
    assert (drawn(method) - plain(shared_pipe, 1, 2)).abs().max() < ROUNDING


@pytest.mark.parametrize("name", sorted(QUICK))
def test_the_recipe_is_json_and_names_the_method(built: dict[str, Any], name: str) -> None:
    recipe = json.loads(json.dumps(built[name].recipe()))
    assert recipe["method"] == name


ROWS = {"sld": 3, "sega": 5, "safree": 3}


@pytest.mark.parametrize("name", sorted(QUICK))
def test_rows_are_counted(built: dict[str, Any], name: str) -> None:
    cost = built[name](PROMPTS, generators=seeds(1, 2), **CALL)[0].cost
    assert cost.plain_rows == 2 * CALL["num_inference_steps"]
    assert cost.denoiser_rows == ROWS.get(name, 2) * CALL["num_inference_steps"]
    assert cost.seconds > 0


@pytest.mark.parametrize("name", sorted(QUICK))
def test_wrong_calls_are_refused(built: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidInput, match="generators"):
        built[name](PROMPTS, generators=seeds(1), **CALL)
    with pytest.raises(InvalidInput, match="strngth"):
        built[name](PROMPTS, generators=seeds(1, 2), strngth=1.0)
    with pytest.raises(InvalidInput, match="str of 29") as refused:
        built[name](PROMPTS[0], generators=seeds(1), **CALL)
    assert "knife" not in str(refused.value)  # errors are printed; a prompt is not
    with pytest.raises(ForbiddenPrompt):
        built[name](["a naked child"], generators=seeds(1), **CALL)
    with pytest.raises(InvalidInput, match="strngth"):
        build_method(name, None, {"strngth": 1.0})


def test_unknown_methods_are_refused(tiny_pipe: Any) -> None:
    with pytest.raises(InvalidInput, match="dual_latent"):
        build_method("magic", tiny_pipe, {})


@pytest.mark.parametrize("name", ["negative_prompt", "sld", "sega"])
def test_guidance_methods_refuse_a_call_without_guidance(built: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidInput, match="guidance_scale"):
        built[name](PROMPTS, generators=seeds(1, 2), guidance_scale=1.0, **CALL)


def test_risk_lowers_the_weight_of_what_the_gate_is_unsure_of(shared_pipe: Any) -> None:
    from counterpoint.methods.dual_latent import DualLatent, Options
    from counterpoint.risk_weight import RiskWeight

    method = DualLatent(shared_pipe, Options(risk=0.25))
    assert method._safe_pipeline(method.gate).risk == RiskWeight(floor=0.25)
    assert method.recipe()["risk"] == 0.25
    with pytest.raises(InvalidInput, match="floor"):
        build_method("dual_latent", shared_pipe, {"risk": 0.0})
