"""The model patch: mix the safe prediction into the prompt's, before guidance, as the dial says."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from counterpoint.interfaces import SafetyFailure
from counterpoint.levels import resolve_safety, schedule_for
from counterpoint.mixing import MixingSchedule, mix


class Predict(Protocol):
    """Runs the model on one conditioning."""

    def __call__(self, conditioning: Any, args: dict[str, Any]) -> torch.Tensor: ...


def patch(model: Any, conditioning: Any, safety: float, predict: Predict) -> Any:
    """Return a clone of a model that mixes; the model itself where the dial is 0.

    Args:
        model: ComfyUI's MODEL.
        conditioning: What `predict` is given: the safe prompt's, see `converted`.
        safety: The dial, 0..1.
        predict: See `predict_with_comfy`.

    Raises:
        InvalidInput: The dial lies outside 0..1.
    """
    schedule = schedule_for(resolve_safety(safety))
    if schedule.weight == 0.0:
        return model
    clone = model.clone()
    before_guidance, after_guidance = _mixer(schedule, conditioning, predict)
    clone.set_model_sampler_pre_cfg_function(before_guidance)
    clone.set_model_sampler_post_cfg_function(after_guidance)
    return clone


def _mixer(schedule: MixingSchedule, conditioning: Any, predict: Predict) -> tuple[Any, Any]:
    reached: list[float] = []  # sigma of the last call that was seen before guidance

    def before_guidance(args: dict[str, Any]) -> list[Any]:
        reached[:] = [float(args["sigma"].max())]
        outputs = list(args["conds_out"])
        weight = schedule.weight_at(*step_of(args))
        if weight > 0.0:
            safe = predict(conditioning, args)
            if not bool(torch.isfinite(safe).all()):
                raise SafetyFailure("the safe stream is not finite; nothing is drawn")
            outputs[0] = mix(outputs[0], safe, weight)
        return outputs

    def after_guidance(args: dict[str, Any]) -> Any:
        # Some guiders ask for what comes after guidance alone, as ComfyUI's DualCFGGuider: nothing would be mixed.
        if reached != [float(args["sigma"].max())]:
            raise SafetyFailure("this guider leaves the safe stream out (no pre-CFG functions); nothing is drawn")
        return args["denoised"]

    return before_guidance, after_guidance


def step_of(args: dict[str, Any]) -> tuple[int, int]:
    """Return (step, number of steps) of a call: the last step of the schedule whose sigma is not below the call's.

    Raises:
        SafetyFailure: The sampler does not say its schedule, so nobody knows when to mix.
    """
    sigmas = args["model_options"].get("transformer_options", {}).get("sample_sigmas")
    if sigmas is None or len(sigmas) < 2:
        raise SafetyFailure("this sampler does not tell its sigmas (transformer_options.sample_sigmas)")
    now, steps = float(args["sigma"].max()), len(sigmas) - 1
    reached = sum(float(sigma) >= now * (1 - 1e-6) for sigma in sigmas[:steps])
    return max(reached - 1, 0), steps


def converted(conditioning: Any) -> Any:
    """Return a CONDITIONING as ComfyUI's samplers take it; once a graph, as each conversion has a name of its own."""
    import comfy.sampler_helpers

    return comfy.sampler_helpers.convert_cond(conditioning)


def predict_with_comfy(conditioning: Any, args: dict[str, Any]) -> torch.Tensor:
    """Return the model's denoised prediction on a `converted` conditioning, through ComfyUI's own functions."""
    import comfy.samplers

    model, latents = args["model"], args["input"]
    ready = comfy.samplers.encode_model_conds(model.extra_conds, conditioning, latents, latents.device, "positive")
    (safe,) = comfy.samplers.calc_cond_batch(model, [ready], latents, args["sigma"], args["model_options"])
    return safe
