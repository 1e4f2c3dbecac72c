"""The nodes in the newer schema."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import ComfyExtension, io

from . import checks, guidance  # noqa: TID252  # ComfyUI loads the folder as a package without a fixed name


class SafeGuidance(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> Any:
        return io.Schema(
            node_id="CounterpointSafeGuidance", display_name="Safe Guidance", category="counterpoint",
            inputs=[
                io.Model.Input("model"),
                io.Conditioning.Input("safe"),
                io.Float.Input("safety", default=0.5, min=0.0, max=1.0, step=0.05),
                io.Boolean.Input("engage", default=True),
            ],
            outputs=[io.Model.Output()],
        )  # fmt: skip

    @classmethod
    def execute(cls, model: Any, safe: Any, safety: float, engage: bool) -> Any:
        ready = guidance.converted(safe)
        return io.NodeOutput(guidance.patch(model, ready, safety if engage else 0.0, guidance.predict_with_comfy))


class SafetyPromptCheck(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> Any:
        return io.Schema(
            node_id="CounterpointPromptCheck", display_name="Safety Prompt Check", category="counterpoint",
            inputs=[io.String.Input("text", multiline=True)],
            outputs=[
                io.Boolean.Output(display_name="engage"),
                io.Float.Output(display_name="score"),
                io.String.Output(display_name="categories"),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, text: str) -> Any:
        return io.NodeOutput(*checks.check_prompt(text, checks.prompt_detector()))


class SafetyImageGate(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> Any:
        return io.Schema(
            node_id="CounterpointImageGate", display_name="Safety Image Gate", category="counterpoint",
            inputs=[io.Image.Input("images"), io.Combo.Input("how", options=list(checks.HOW))],
            outputs=[io.Image.Output(display_name="images"), io.Boolean.Output(display_name="any_unsafe")],
        )  # fmt: skip

    @classmethod
    def execute(cls, images: Any, how: str) -> Any:
        return io.NodeOutput(*checks.gate_images(images, how, checks.picture_detectors()))


class Counterpoint(ComfyExtension):
    async def get_node_list(self) -> list[Any]:
        return [SafeGuidance, SafetyPromptCheck, SafetyImageGate]


async def entry() -> Counterpoint:
    return Counterpoint()
