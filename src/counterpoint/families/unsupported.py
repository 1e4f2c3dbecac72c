"""Pipelines that are refused, and why: a message says more than a name that is missing in a list."""

from __future__ import annotations

_CONTROLNET = "a ControlNet is told the original prompt, too, and its answers are not mixed"
_PAG = "its attention processors split the batch in three; use the pipeline without PAG"
_TWO_STAGES = "the prompt steers another model before the denoiser, which the safe stream does not reach"
_READS_PICTURES = "its prompt is read together with a picture that the gate cannot see"

UNSUPPORTED: dict[str, str] = {
    "StableDiffusionControlNetPipeline": _CONTROLNET,
    "StableDiffusionControlNetImg2ImgPipeline": _CONTROLNET,
    "StableDiffusionControlNetInpaintPipeline": _CONTROLNET,
    "StableDiffusionXLControlNetPipeline": _CONTROLNET,
    "StableDiffusion3ControlNetPipeline": _CONTROLNET,
    "FluxControlNetPipeline": _CONTROLNET,
    "StableDiffusionPAGPipeline": _PAG,
    "StableDiffusionXLPAGPipeline": _PAG,
    "StableDiffusion3PAGPipeline": _PAG,
    "PixArtSigmaPAGPipeline": _PAG,
    "StableCascadeCombinedPipeline": _TWO_STAGES,
    "KandinskyCombinedPipeline": _TWO_STAGES,
    "KandinskyV22CombinedPipeline": _TWO_STAGES,
    "FluxKontextPipeline": "it edits a picture by instruction, where a safe prompt has no twin",
    "QwenImageEditPipeline": _READS_PICTURES,
    "StableDiffusionInstructPix2PixPipeline": "it edits a picture by instruction, where a safe prompt has no twin",
}
