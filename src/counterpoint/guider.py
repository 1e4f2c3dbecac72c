"""A guider for diffusers' Modular Diffusers that mixes the safe stream: experimental, as guiders are there.

The same equation as everywhere (`mixing.mix`), on the predictions, before classifier-free guidance:

    eps_cond <- (1 - w_i) eps(z_i, c) + w_i eps(z_i, s)

There is no gate here and no output check: whoever builds the blocks decides when to use it. Blocks give
a guider pairs (prompt, negative prompt) and know no third stream, so the guider holds the safe inputs.
The fused engine wraps classic pipelines, costs less, and checks more.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ClassifierFreeGuidance
from diffusers.configuration_utils import register_to_config
from torch import Tensor

from counterpoint.interfaces import InvalidInput, SafetyFailure
from counterpoint.mixing import MixingSchedule, Ramp, mix

EMBEDDINGS = "embeds"
"""In the name of an input that holds what a text, or a picture, says."""


class SafeStreamGuidance(ClassifierFreeGuidance):  # type: ignore[misc]  # diffusers has no types
    """Classifier-free guidance whose conditional prediction is the mix of two streams.

        guider = SafeStreamGuidance(guidance_scale=7.5, weight=0.75, tau=0.2)
        guider.set_safe_inputs(prompt_embeds=safe_prompt_embeds, text_embeds=safe_pooled_prompt_embeds)
        pipe.update_components(guider=guider)

    Args:
        guidance_scale: As in `ClassifierFreeGuidance`, like `guidance_rescale`, `use_original_formulation`,
            `start`, `stop` and `enabled`.
        weight: Weight w of the safe stream, 0..1; 0 = plain guidance.
        tau: Fraction of the steps that only the prompt's stream runs, 0..1.
        ramp: How w grows, see `MixingSchedule`.

    Raises:
        InvalidInput: Weight, tau or ramp lies outside its range.
    """

    _input_predictions = ["pred_cond", "pred_uncond", "pred_safe"]  # noqa: RUF012  # as diffusers declares it

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        guidance_scale: float = 7.5,
        weight: float = 0.75,
        tau: float = 0.2,
        ramp: Ramp = "constant",
        guidance_rescale: float = 0.0,
        use_original_formulation: bool = False,
        start: float = 0.0,
        stop: float = 1.0,
        enabled: bool = True,
    ) -> None:
        super().__init__(guidance_scale, guidance_rescale, use_original_formulation, start, stop, enabled)
        self.schedule = MixingSchedule(weight=weight, tau=tau, ramp=ramp)
        self.safe_inputs: dict[str, Tensor] = {}
        self.weights: list[float] = []
        """Weight applied at each step of the present call so far."""

    def set_safe_inputs(self, **inputs: Tensor) -> None:
        """Say what the safe stream is told, under the denoise block's own names (SDXL: prompt_embeds, text_embeds)."""
        self.safe_inputs = inputs

    @property
    def weight(self) -> float:
        """Weight of the present step; 0 outside of a call."""
        if self._step is None or self._num_inference_steps is None:
            return 0.0
        return self.schedule.weight_at(self._step, self._num_inference_steps)

    def set_state(self, step: int, num_inference_steps: int, timestep: Tensor) -> None:
        """Take note of the step; step 0 begins a new call."""
        super().set_state(step, num_inference_steps, timestep)
        if step == 0:
            self.weights = []

    @property
    def num_conditions(self) -> int:
        """Denoiser calls of the present step: where the weight is 1 the safe one takes the prompt's place."""
        return int(super().num_conditions) + (0.0 < self.weight < 1.0)

    @property
    def is_conditional(self) -> bool:
        """Whether the batch in work is a prompt's, the safe one included."""
        return self._count_prepared != 2 or not self._is_cfg_enabled()

    def prepare_inputs(self, data: dict[str, Any]) -> list[Any]:
        """Return one batch a denoiser call.

        Raises:
            InvalidInput: A safe input has no such name, or not as many rows as the prompt's.
            SafetyFailure: An input that holds what the prompt says has no safe twin, or none differs from the prompt's.
        """
        batches = [
            self._prepare_batch(data, index, self._input_predictions[index]) for index in range(self._num_plain())
        ]
        return self._with_safe(batches)

    def prepare_inputs_from_block_state(self, data: Any, input_fields: dict[str, Any]) -> list[Any]:
        """The same for blocks that pass their whole state."""
        batches = [
            self._prepare_batch_from_block_state(input_fields, data, index, self._input_predictions[index])
            for index in range(self._num_plain())
        ]
        return self._with_safe(batches)

    def forward(self, pred_cond: Tensor, pred_uncond: Tensor | None = None, pred_safe: Tensor | None = None) -> Any:
        """Mix the streams, then guide.

        Raises:
            SafetyFailure: The mixed prediction is not finite.
        """
        if pred_safe is not None:
            pred_cond = mix(pred_cond, pred_safe.to(pred_cond.dtype), self.weight)
        if not bool(torch.isfinite(pred_cond).all()):
            raise SafetyFailure(f"the prediction at step {self._step} holds NaN or infinity; nothing is drawn")
        self.weights.append(self.weight)
        return super().forward(pred_cond, pred_uncond)

    def check_complete(self) -> None:
        """Raise SafetyFailure unless the last call took all its steps, and mixed some of them."""
        if len(self.weights) != self._num_inference_steps or not any(self.weights):
            raise SafetyFailure(
                f"the streams were mixed in {sum(w > 0.0 for w in self.weights)} steps, and "
                f"{len(self.weights)} of {self._num_inference_steps} steps were taken; do not show the picture"
            )

    def _num_plain(self) -> int:
        return int(super().num_conditions)

    def _with_safe(self, batches: list[Any]) -> list[Any]:
        """Add the safe batch to [prompt] or [prompt, negative prompt]; at weight 1 it takes the prompt's place."""
        if self.weight == 0.0:
            return batches
        told = {key: value for key, value in batches[0].as_dict().items() if isinstance(value, Tensor)}
        _check_safe_inputs(self.safe_inputs, told, batches[1].as_dict() if len(batches) > 1 else {})
        is_alone = self.weight == 1.0
        name = self._input_predictions[0 if is_alone else 2]
        values = {**batches[0].as_dict(), **self.safe_inputs, self._identifier_key: name}
        safe = type(batches[0])(**values)
        return [safe, *batches[1:]] if is_alone else [*batches, safe]


def _check_safe_inputs(safe: dict[str, Tensor], prompt: dict[str, Tensor], negative: dict[str, Any]) -> None:
    if not safe:
        raise SafetyFailure("the guider was told nothing for the safe stream; call set_safe_inputs first")
    for name, value in safe.items():
        if name not in prompt or len(value) != len(prompt[name]):
            allowed = ", ".join(f"{key} with {len(part)} rows" for key, part in prompt.items())
            raise InvalidInput("safe_inputs", f"{name} with {len(value)} rows", allowed)
    for name, value in prompt.items():
        other = negative.get(name)  # none without guidance: there names alone tell
        differs = isinstance(other, Tensor) and not _equal(value, other)
        if name not in safe and (differs or EMBEDDINGS in name):
            raise SafetyFailure(
                f"the safe stream lacks {name}; give it to set_safe_inputs, the prompt's own where it fits"
            )
    if all(_equal(value, prompt[name]) for name, value in safe.items()):
        raise SafetyFailure("the safe stream was told the same as the prompt's; that would draw the plain picture")


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a, b)
