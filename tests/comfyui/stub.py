"""A stub of the hooks of ComfyUI that the nodes use, written from its public sources; no line of them is copied.

What each part stands for; the sources were read in part, in excerpts:

    Patcher                  comfy/model_patcher.py: `clone`; functions before and after guidance are appended to
                             `model_options`: "sampler_pre_cfg_function", "sampler_post_cfg_function"
    extra_conds              comfy/model_base.py, comfy/conds.py: what of a conditioning reaches the model
    convert_cond             comfy/sampler_helpers.py: pairs become dictionaries, each with a fresh `uuid`
    encode_model_conds       comfy/samplers.py: the given list itself is renewed
    calc_cond_batch          comfy/samplers.py: None is predicted as zeros
    sampling_function        comfy/samplers.py: [cond, uncond], uncond left out at scale 1; functions before guidance
                             with the keys below, guidance, functions after it
    sample                   CFGGuider.inner_sample there: transformer_options["sample_sigmas"] tells the sigmas
    sample_dual              comfy_extras/nodes_custom_sampler.py, Guider_DualCFG: nothing is called before guidance

Limits: one Euler sampler, no areas, masks, hooks, batches of conditionings or memory management; nothing here shows
that a running ComfyUI loads the pack.
"""

from __future__ import annotations

import copy
import math
import uuid
from collections.abc import Callable
from itertools import pairwise
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor, Tensor], Tensor]


class Conditioning:
    """What the model gets of a conditioning."""

    def __init__(self, cond: Tensor) -> None:
        self.cond = cond

    def process_cond(self, batch_size: int, **_more: Any) -> Tensor:
        return self.cond.expand(batch_size, *self.cond.shape[1:])


class BaseModel:
    """The denoiser as hooks see it."""

    def __init__(self, denoise: Denoise) -> None:
        self.denoise = denoise

    def extra_conds(self, **given: Any) -> dict[str, Conditioning]:
        assert given["prompt_type"] in ("positive", "negative") and given["width"] == given["noise"].shape[3] * 8
        return {"c_crossattn": Conditioning(given["cross_attn"])}


class Patcher:
    """A MODEL: the denoiser, and its options."""

    def __init__(self, denoise: Denoise) -> None:
        self.model = BaseModel(denoise)
        self.model_options: dict[str, Any] = {"transformer_options": {}}

    def clone(self) -> Patcher:
        other = Patcher(self.model.denoise)
        other.model_options = copy.deepcopy(self.model_options)
        return other

    def set_model_sampler_pre_cfg_function(self, function: Any, disable_cfg1_optimization: bool = False) -> None:
        self._append("sampler_pre_cfg_function", function, disable_cfg1_optimization)

    def set_model_sampler_post_cfg_function(self, function: Any, disable_cfg1_optimization: bool = False) -> None:
        self._append("sampler_post_cfg_function", function, disable_cfg1_optimization)

    def _append(self, name: str, function: Any, disable_cfg1_optimization: bool) -> None:
        self.model_options[name] = [*self.model_options.get(name, []), function]
        if disable_cfg1_optimization:
            self.model_options["disable_cfg1_optimization"] = True


def convert_cond(conditioning: list[Any]) -> list[dict[str, Any]]:
    """From pairs (embedding, options) to what samplers take."""
    return [
        {**options, "cross_attn": embedding, "model_conds": options.get("model_conds", {}), "uuid": uuid.uuid4()}
        for embedding, options in conditioning
    ]


def encode_model_conds(extra_conds: Any, conds: list[Any], noise: Tensor, device: Any, prompt_type: str) -> list[Any]:
    for place, cond in enumerate(conds):
        told = {"width": noise.shape[3] * 8, "height": noise.shape[2] * 8, "prompt_type": prompt_type, **cond}
        added = extra_conds(**{**told, "device": device, "noise": noise})
        conds[place] = {**cond, "model_conds": {**cond["model_conds"], **added}}
    return conds


def calc_cond_batch(model: BaseModel, conds: list[Any], latents: Tensor, sigma: Tensor, options: Any) -> list[Tensor]:
    assert "sample_sigmas" in options["transformer_options"]
    out = []
    for cond in conds:
        if cond is None:
            out.append(torch.zeros_like(latents))
            continue
        (one,) = cond
        assert isinstance(one["uuid"], uuid.UUID)
        embedding = one["model_conds"]["c_crossattn"].process_cond(batch_size=latents.shape[0])
        out.append(model.denoise(latents, sigma, embedding))
    return out


def sampling_function(
    model: BaseModel, latents: Tensor, sigma: Tensor, uncond: Any, cond: Any, scale: float, options: dict[str, Any]
) -> Any:
    if math.isclose(scale, 1.0) and not options.get("disable_cfg1_optimization", False):
        uncond = None
    conds = [cond, uncond]
    out = calc_cond_batch(model, conds, latents, sigma, options)
    common = {"cond_scale": scale, "input": latents, "sigma": sigma, "model": model, "model_options": options}
    for function in options.get("sampler_pre_cfg_function", []):
        out = function({"conds": conds, "conds_out": out, "timestep": sigma, **common})
    return cfg_function(out, common, {"cond": cond, "uncond": uncond})


def cfg_function(out: list[Tensor], common: dict[str, Any], conds: dict[str, Any]) -> Any:
    denoised = out[1] + (out[0] - out[1]) * common["cond_scale"]
    for function in common["model_options"].get("sampler_post_cfg_function", []):
        told = {"denoised": denoised, "cond_denoised": out[0], "uncond_denoised": out[1], **conds, **common}
        denoised = function(told)
    return denoised


def _euler(patcher: Patcher, latents: Tensor, sigmas: Tensor, predict: Callable[..., Any]) -> Tensor:
    options = copy.copy(patcher.model_options)
    options["transformer_options"] = {**options["transformer_options"], "sample_sigmas": sigmas}
    for now, then in pairwise(sigmas):
        denoised = predict(latents, now.expand(latents.shape[0]), options)
        latents = latents + (latents - denoised) / now * (then - now)
    return latents


def _ready(patcher: Patcher, conditioning: Any, latents: Tensor, prompt_type: str) -> Any:
    extra = patcher.model.extra_conds
    return encode_model_conds(extra, convert_cond(conditioning), latents, latents.device, prompt_type)


def sample(patcher: Patcher, latents: Tensor, positive: Any, negative: Any, sigmas: Tensor, scale: float) -> Tensor:
    """Euler steps from the first sigma to the last, on two CONDITIONINGs."""
    cond, uncond = _ready(patcher, positive, latents, "positive"), _ready(patcher, negative, latents, "negative")

    def predict(now: Tensor, sigma: Tensor, options: dict[str, Any]) -> Any:
        return sampling_function(patcher.model, now, sigma, uncond, cond, scale, options)

    return _euler(patcher, latents, sigmas, predict)


def sample_dual(
    patcher: Patcher, latents: Tensor, positive: Any, negative: Any, sigmas: Tensor, scale: float
) -> Tensor:
    """The same with a guider that predicts by itself, and then asks for guidance alone."""
    cond, uncond = _ready(patcher, positive, latents, "positive"), _ready(patcher, negative, latents, "negative")

    def predict(now: Tensor, sigma: Tensor, options: dict[str, Any]) -> Any:
        out = calc_cond_batch(patcher.model, [cond, uncond], now, sigma, options)
        common = {"cond_scale": scale, "input": now, "sigma": sigma, "model": patcher.model, "model_options": options}
        return cfg_function(out, common, {"cond": cond, "uncond": uncond})

    return _euler(patcher, latents, sigmas, predict)


def comfy() -> dict[str, ModuleType]:
    """Modules `comfy`, `comfy.sampler_helpers` and `comfy.samplers` with the functions above."""
    package, helpers, samplers = (ModuleType(name) for name in ("comfy", "comfy.sampler_helpers", "comfy.samplers"))
    package.__path__ = []
    package.sampler_helpers, package.samplers = helpers, samplers  # type: ignore[attr-defined]
    helpers.convert_cond = convert_cond  # type: ignore[attr-defined]
    samplers.encode_model_conds = encode_model_conds  # type: ignore[attr-defined]
    samplers.calc_cond_batch = calc_cond_batch  # type: ignore[attr-defined]
    return {one.__name__: one for one in (package, helpers, samplers)}


def denoiser(latents: Tensor, sigma: Tensor, embedding: Tensor) -> Tensor:
    """A model that listens: not linear in the latents."""
    return torch.tanh(latents / (1 + sigma.view(-1, 1, 1, 1)) + embedding)
