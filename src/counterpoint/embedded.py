"""Where the embedded model and its recognisers lie, inside the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from counterpoint.interfaces import InvalidInput

MODEL_PATH = Path(__file__).parent / "model"
GUIDANCE_SCALE = 4.0
"""What the commands draw the embedded model with: diffusers' default of 7.5 oversaturates its flat colours."""
RECOGNISERS_PATH = Path(__file__).parent / "recogniser_weights"
SANITIZER_PATH = Path(__file__).parent / "sanitizer_weights"


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


def is_embedded(pipe: Any) -> bool:
    """Whether a pipeline was loaded from the package's own folder."""
    return getattr(pipe, "name_or_path", None) == str(MODEL_PATH)


def recogniser_path(role: Literal["judge", "checker"]) -> Path:
    """Return the folder that `Recogniser.from_pretrained` loads.

    Raises:
        InvalidInput: This build of the package carries no such weights.
    """
    folder = RECOGNISERS_PATH / role
    if not (folder / "config.json").is_file():
        raise InvalidInput("recogniser", role, "one whose weights this build of counterpoint holds; train it first")
    return folder


def sanitizer_path() -> Path:
    """Return the folder that `embeddings.sanitizer.Sanitizer` loads: it is for the embedded model's text encoder.

    Raises:
        InvalidInput: This build of the package carries no such weights.
    """
    if not (SANITIZER_PATH / "sanitizer.json").is_file():
        raise InvalidInput("sanitizer", str(SANITIZER_PATH), "a build with weights; train them: docs/training.md")
    return SANITIZER_PATH
