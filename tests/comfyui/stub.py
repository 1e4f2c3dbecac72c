"""A stub of the hooks of ComfyUI that the nodes use, written from its public sources; no line of them is copied.

Sources: comfy/model_patcher.py (`clone`, `set_model_sampler_pre_cfg_function`: appended to
`model_options["sampler_pre_cfg_function"]`), comfy/samplers.py (the order: predictions of [cond, uncond], pre-CFG
functions with the keys below, then uncond + (cond - uncond) * scale), comfy_extras/nodes_perpneg.py (how a further
conditioning is encoded and run). That samplers tell their sigmas as `transformer_options["sample_sigmas"]` is known
from use and was not read. Limits: one Euler sampler, no areas, masks, hooks, batches of conditionings or memory
management; nothing here shows that a running ComfyUI loads the pack.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor


class Patcher:
    """A MODEL: the denoiser, and its options."""

    def __init__(self, denoise: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        self.denoise, self.model_options = denoise, {"transformer_options": {}}

    def clone(self) -> Patcher:
        other = Patcher(self.denoise)
        other.model_options = copy.deepcopy(self.model_options)
        return other

    def set_model_sampler_pre_cfg_function(self, function: Any, disable_cfg1_optimization: bool = False) -> None:
        before = self.model_options.get("sampler_pre_cfg_function", [])
        self.model_options["sampler_pre_cfg_function"] = [*before, function]


def sample(patcher: Patcher, latents: Tensor, positive: Tensor, negative: Tensor, sigmas: Tensor, scale: float) -> Any:
    """Euler steps from the first sigma to the last."""
    options = {**patcher.model_options, "transformer_options": {"sample_sigmas": sigmas}}
    for now, then in pairwise(sigmas):
        sigma = now.expand(latents.shape[0])
        out = [patcher.denoise(latents, sigma, embedding) for embedding in (positive, negative)]
        for function in options.get("sampler_pre_cfg_function", []):
            out = function({"conds": [positive, negative], "conds_out": out, "cond_scale": scale, "timestep": sigma,
                            "input": latents, "sigma": sigma, "model": patcher, "model_options": options})  # fmt: skip
        denoised = out[1] + (out[0] - out[1]) * scale
        latents = latents + (latents - denoised) / now * (then - now)
    return latents


def predict(conditioning: Tensor, args: dict[str, Any]) -> Tensor:
    """What `predict_with_comfy` does, on the stub."""
    result: Tensor = args["model"].denoise(args["input"], args["sigma"], conditioning)
    return result


def denoiser(latents: Tensor, sigma: Tensor, embedding: Tensor) -> Tensor:
    """A model that listens: not linear in the latents."""
    return torch.tanh(latents / (1 + sigma.view(-1, 1, 1, 1)) + embedding)
