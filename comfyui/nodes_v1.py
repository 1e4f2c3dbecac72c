"""The nodes in the older schema, for a ComfyUI without the newer one."""

from __future__ import annotations

from typing import Any

from . import checks, guidance  # noqa: TID252  # ComfyUI loads the folder as a package without a fixed name


class SafeGuidance:
    CATEGORY, FUNCTION = "counterpoint", "run"
    RETURN_TYPES = ("MODEL",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        dial = {"default": 0.5, "min": 0.0, "max": 1.0, "step": 0.05}
        return {"required": {"model": ("MODEL",), "safe": ("CONDITIONING",), "safety": ("FLOAT", dial),
                             "engage": ("BOOLEAN", {"default": True})}}  # fmt: skip

    def run(self, model: Any, safe: Any, safety: float, engage: bool) -> tuple[Any]:
        ready = guidance.converted(safe)
        return (guidance.patch(model, ready, safety if engage else 0.0, guidance.predict_with_comfy),)


class SafetyPromptCheck:
    CATEGORY, FUNCTION = "counterpoint", "run"
    RETURN_TYPES, RETURN_NAMES = ("BOOLEAN", "FLOAT", "STRING"), ("engage", "score", "categories")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"text": ("STRING", {"multiline": True})}}

    def run(self, text: str) -> tuple[bool, float, str]:
        return checks.check_prompt(text, checks.prompt_detector())


class SafetyImageGate:
    CATEGORY, FUNCTION = "counterpoint", "run"
    RETURN_TYPES, RETURN_NAMES = ("IMAGE", "BOOLEAN"), ("images", "any_unsafe")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"images": ("IMAGE",), "how": (list(checks.HOW),)}}

    def run(self, images: Any, how: str) -> tuple[Any, bool]:
        return checks.gate_images(images, how, checks.picture_detectors())


NODES = {
    "CounterpointSafeGuidance": SafeGuidance,
    "CounterpointPromptCheck": SafetyPromptCheck,
    "CounterpointImageGate": SafetyImageGate,
}
NAMES = {
    "CounterpointSafeGuidance": "Safe Guidance",
    "CounterpointPromptCheck": "Safety Prompt Check",
    "CounterpointImageGate": "Safety Image Gate",
}
