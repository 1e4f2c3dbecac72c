"""The guider for Modular Diffusers, against the fused engine on the classic pipeline."""

from __future__ import annotations

from typing import Any

import diffusers
import pytest
import torch
from diffusers import ClassifierFreeGuidance
from torch import Generator, Tensor

from counterpoint.guider import SafeStreamGuidance
from counterpoint.interfaces import InvalidInput, SafetyFailure


def data() -> dict[str, Any]:
    """Inputs of a denoise block, (prompt, negative prompt): SDXL's, whose sizes are the same on both sides."""
    torch.manual_seed(0)
    sizes = torch.ones(1, 6)
    return {
        "prompt_embeds": (torch.randn(1, 5, 8), torch.randn(1, 5, 8)),
        "text_embeds": (torch.randn(1, 8), torch.randn(1, 8)),
        "time_ids": (sizes, sizes.clone()),
        "image_embeds": (None, None),
    }


SAFE = {"prompt_embeds": torch.full((1, 5, 8), 0.5), "text_embeds": torch.full((1, 8), 0.25)}


def denoise(batch: Any) -> Tensor:
    """Stands for a denoiser: answers with what it is told."""
    return batch.prompt_embeds.mean(1) + batch.text_embeds


def one_step(guider: Any, step: int, num_steps: int = 4) -> tuple[Tensor, list[str]]:
    """Take a step as the denoise blocks of diffusers do; the prediction, and who was asked."""
    guider.set_state(step=step, num_inference_steps=num_steps, timestep=torch.tensor(1))
    batches = guider.prepare_inputs(data())
    for batch in batches:
        guider.prepare_models(torch.nn.Identity())
        batch.noise_pred = denoise(batch)
        guider.cleanup_models(torch.nn.Identity())
    return guider(batches).pred, [getattr(batch, guider._identifier_key) for batch in batches]


def guider(**options: Any) -> SafeStreamGuidance:
    made = SafeStreamGuidance(**{"guidance_scale": 3.0, "weight": 0.6, "tau": 0.5, **options})
    made.set_safe_inputs(**SAFE)
    return made


def plain(step: int = 0, **replaced: Tensor) -> Tensor:
    """Plain guidance, with another prompt where given."""
    cfg = ClassifierFreeGuidance(guidance_scale=3.0)
    cfg.set_state(step=step, num_inference_steps=4, timestep=torch.tensor(1))
    batches = cfg.prepare_inputs({k: (replaced.get(k, c), u) for k, (c, u) in data().items()})
    for batch in batches:
        batch.noise_pred = denoise(batch)
    prediction: Tensor = cfg(batches).pred
    return prediction


def test_before_tau_and_at_weight_zero_it_is_plain_guidance_bit_for_bit() -> None:
    for made, step in ((guider(), 1), (guider(weight=0.0), 3)):
        prediction, asked = one_step(made, step)
        assert torch.equal(prediction, plain(step)) and asked == ["pred_cond", "pred_uncond"]


def test_full_weight_is_plain_guidance_on_the_safe_prompt_at_no_further_call() -> None:
    prediction, asked = one_step(guider(weight=1.0), 3)
    assert torch.equal(prediction, plain(3, **SAFE)) and len(asked) == 2


def test_between_it_is_the_equation() -> None:
    prediction, asked = one_step(guider(), 3)
    torch.testing.assert_close(prediction, torch.lerp(plain(3), plain(3, **SAFE), 0.6))
    assert asked == ["pred_cond", "pred_uncond", "pred_safe"]
    without_guidance, asked = one_step(guider(enabled=False), 3)
    c, s = data()["prompt_embeds"][0].mean(1) + data()["text_embeds"][0], torch.full((1, 8), 0.75)
    torch.testing.assert_close(without_guidance, torch.lerp(c, s, 0.6))
    assert asked == ["pred_cond", "pred_safe"]


def test_what_a_block_passes_as_its_state_gives_the_same() -> None:
    from diffusers.modular_pipelines.modular_pipeline import BlockState

    fields = {name: (name, f"negative_{name}") for name in ("prompt_embeds", "text_embeds")}
    values = {key: value for name, pair in fields.items() for key, value in zip(pair, data()[name], strict=True)}
    made = guider()
    made.set_state(step=3, num_inference_steps=4, timestep=torch.tensor(1))
    batches = made.prepare_inputs_from_block_state(BlockState(**values), fields)
    for batch in batches:
        batch.noise_pred = denoise(batch)
    assert torch.equal(made(batches).pred, one_step(guider(), 3)[0])


def test_a_safe_stream_that_is_told_nothing_or_half_returns_no_prediction() -> None:
    made = guider()
    made.set_safe_inputs()
    with pytest.raises(SafetyFailure, match="told nothing"):
        one_step(made, 3)
    made.set_safe_inputs(prompt_embeds=SAFE["prompt_embeds"])  # the pooled embedding is forgotten
    with pytest.raises(SafetyFailure, match="lacks text_embeds"):
        one_step(made, 3)


def test_without_guidance_a_half_told_safe_stream_returns_no_prediction_either() -> None:
    """There is no negative prompt then to see from which inputs hold a text."""
    made = guider(enabled=False)
    made.set_safe_inputs(prompt_embeds=SAFE["prompt_embeds"])
    with pytest.raises(SafetyFailure, match="lacks text_embeds"):
        one_step(made, 3)


def test_a_safe_stream_that_is_told_the_same_as_the_prompts_returns_no_prediction() -> None:
    made = guider()
    made.set_safe_inputs(**{name: data()[name][0] for name in SAFE})
    with pytest.raises(SafetyFailure, match="told the same"):
        one_step(made, 3)


@pytest.mark.parametrize("wrong", [{"prompt_embed": torch.zeros(1, 5, 8)}, {"prompt_embeds": torch.zeros(2, 5, 8)}])
def test_inputs_of_another_name_or_number_are_refused(wrong: dict[str, Tensor]) -> None:
    made = guider()
    made.set_safe_inputs(**wrong)
    with pytest.raises(InvalidInput, match="safe_inputs"):
        one_step(made, 3)


def test_a_prediction_that_is_not_finite_is_a_failure() -> None:
    made = guider()
    made.set_safe_inputs(**{name: value * float("nan") for name, value in SAFE.items()})
    with pytest.raises(SafetyFailure, match="NaN"):
        one_step(made, 3)


def test_the_caller_can_ask_whether_all_steps_were_taken() -> None:
    made = guider()
    for step in range(3):
        one_step(made, step)
    with pytest.raises(SafetyFailure, match="3 of 4 steps"):
        made.check_complete()
    one_step(made, 3)
    made.check_complete()
    assert made.weights == [0.0, 0.0, 0.6, 0.6]


def test_its_settings_are_checked_saved_and_read_back(tmp_path: Any) -> None:
    with pytest.raises(InvalidInput, match="weight"):
        SafeStreamGuidance(weight=2.0)
    guider(ramp="linear").save_pretrained(tmp_path)
    again = SafeStreamGuidance.from_pretrained(tmp_path)
    assert again.schedule == guider(ramp="linear").schedule and again.guidance_scale == 3.0
    assert guider().new(weight=1.0).schedule.weight == 1.0


@pytest.mark.parametrize(("weight", "tau"), [(0.6, 0.5), (1.0, 0.0)])
def test_a_modular_pipeline_draws_what_the_fused_engine_draws(build: Any, weight: float, tau: float) -> None:
    from diffusers.modular_pipelines.stable_diffusion_xl import StableDiffusionXLAutoBlocks

    from counterpoint.engines import fused
    from counterpoint.mixing import MixingSchedule

    pipe = build("StableDiffusionXLPipeline")
    pipe.register_to_config(force_zeros_for_empty_prompt=False)  # modular pipelines encode the empty text
    safe_embeds, _, safe_pooled, _ = pipe.encode_prompt("a chef in a room", device="cpu")
    made = SafeStreamGuidance(guidance_scale=5.0, weight=weight, tau=tau)
    made.set_safe_inputs(prompt_embeds=safe_embeds, text_embeds=safe_pooled)
    modular = StableDiffusionXLAutoBlocks().init_pipeline()
    parts = {name: part for name, part in pipe.components.items() if part is not None}
    modular.update_components(guider=made, force_zeros_for_empty_prompt=False, **parts)
    call = {"num_inference_steps": 4, "height": 32, "width": 32, "output_type": "latent"}
    unsafe = "a chef with a knife in a room"
    latents = modular(prompt=unsafe, generator=Generator().manual_seed(0), output="latents", **call)
    made.check_complete()
    drawn = fused.run(
        pipe, {"prompt": unsafe, "guidance_scale": 5.0, "generator": Generator().manual_seed(0), **call},
        {"prompt": "a chef in a room"}, MixingSchedule(weight=weight, tau=tau), num_images=1, engaged=(0,),
    )  # fmt: skip
    expected = drawn.output[0]
    assert float((latents - expected).abs().max()) <= 1e-5 * float(expected.max() - expected.min())


def test_diffusers_still_has_what_the_guider_is_built_on() -> None:
    assert issubclass(SafeStreamGuidance, diffusers.ClassifierFreeGuidance)
    assert ClassifierFreeGuidance._input_predictions == ["pred_cond", "pred_uncond"]
