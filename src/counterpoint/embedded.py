"""Where the embedded text-to-image model lies: a plain diffusers folder inside the package."""

from __future__ import annotations

from pathlib import Path

from counterpoint.interfaces import InvalidInput

MODEL_PATH = Path(__file__).parent / "model"


def embedded_model_path() -> str:
    """Return the folder that `StableDiffusionPipeline.from_pretrained` loads.

    Raises:
        InvalidInput: This build of the package carries no weights.
    """
    if not (MODEL_PATH / "model_index.json").is_file():
        raise InvalidInput(
            "model", "embedded", "the path or name of a diffusers model; this build of counterpoint has no weights"
        )
    return str(MODEL_PATH)
