"""Models from the operator's list, loaded without running or fetching anything that is not named there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from counterpoint.interfaces import InvalidInput, PictureDetector
from counterpoint.server.config import EMBEDDED, PictureDetectorName, Settings
from counterpoint.server.logs import quiet_libraries

if TYPE_CHECKING:
    from counterpoint.pipeline import SafePipeline


def load_pipe(place: str) -> Any:
    """Load a diffusers folder: safetensors only, local files only, no code of the folder's own.

    Raises:
        InvalidInput: There is no such model, or it cannot be loaded.
    """
    import diffusers
    import torch

    quiet_libraries()
    if place == EMBEDDED:
        from counterpoint.embedded import embedded_model_path

        place = embedded_model_path()
    if not os.path.isfile(os.path.join(place, "model_index.json")):
        raise InvalidInput("models", place, f"{EMBEDDED}, or a diffusers folder (with model_index.json)")
    try:
        pipe = diffusers.DiffusionPipeline.from_pretrained(
            place, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        raise InvalidInput("models", place, f"a folder that diffusers loads ({type(error).__name__})") from error
    pipe.set_progress_bar_config(disable=True)
    return pipe.to("cuda") if torch.cuda.is_available() else pipe


def wrap(pipe: Any, settings: Settings) -> SafePipeline:
    """Guard a pipeline by the operator's rules.

    Raises:
        InvalidInput: The pipeline is not supported, or draws no pictures.
    """
    from counterpoint.pipeline import SafePipeline

    detectors = [picture_detector(name) for name in settings.picture_detectors]
    safe = SafePipeline(pipe, safety=settings.safety, picture_detectors=detectors, on_unsafe=settings.on_unsafe)
    if safe.family.output != "images":
        raise InvalidInput("models", type(pipe).__name__, "models of pictures; this one gives video")
    return safe


def picture_detector(name: PictureDetectorName) -> PictureDetector:
    """Return an output check by name.

    Raises:
        InvalidInput: Its extra is not installed, or the package holds no weights for it.
    """
    match name:
        case "scenes_checker":
            from counterpoint.picture_detectors.scenes_checker import ScenesChecker

            return ScenesChecker()
        case "open_nsfw":
            from counterpoint.picture_detectors.open_nsfw import OpenNsfw

            return OpenNsfw()
        case "nudenet":
            from counterpoint.picture_detectors.nudenet import NudeNet

            return NudeNet()
