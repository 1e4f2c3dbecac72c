"""Load models, picture detectors and gates by name: what the commands, the server and the page share.

Nothing here imports torch before a function runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from counterpoint.interfaces import Detector, InvalidInput, PictureDetector, Point

if TYPE_CHECKING:
    from counterpoint.gate_settings import GateSettings

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
PictureDetectorName = Literal["scenes_checker", "open_nsfw", "nudenet"]


def load_pipe(model: str | None = None, *, from_hub: bool = False) -> Any:
    """Load a diffusers pipeline: float32, on the accelerator where there is one, without a progress bar.

    Args:
        model: A local folder; None takes the embedded model.
        from_hub: Whether a hub's OWNER/NAME counts, too, and weights in other formats. Without it nothing is
            fetched and nothing is run that the folder brings along: safetensors only.

    Raises:
        InvalidInput: There is no such model, or it cannot be loaded.
    """
    place, allowed = _place(model, from_hub=from_hub)

    import diffusers
    import torch
    import transformers

    for logging in (diffusers.utils.logging, transformers.utils.logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()
    strict = {} if from_hub else {"use_safetensors": True, "local_files_only": True, "trust_remote_code": False}
    try:
        # One dtype for all parts: text encoders would else keep the checkpoint's own.
        pipe = diffusers.DiffusionPipeline.from_pretrained(place, dtype=torch.float32, **strict)
    except Exception as error:  # the hub, the files and their parsers raise all kinds
        reason = " ".join(str(error).split())[:200]
        raise InvalidInput("model", model or "embedded", f"{allowed}; loading failed: {reason}") from error
    pipe.set_progress_bar_config(disable=True)
    return pipe.to("cuda") if torch.cuda.is_available() else pipe


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


def gate_for(pipe: Any, gates: Sequence[GateSettings], point: Point) -> Detector:
    """Return the gate that was fitted to this pipeline's text encoder; the standard gate where none is given.

    Raises:
        InvalidInput: None of those given was fitted to it, or the pipeline is not supported.
    """
    from counterpoint.families import family_of
    from counterpoint.gate import standard_gate
    from counterpoint.pipeline import text_space

    text = text_space(pipe, family_of(pipe))
    if not gates:
        return standard_gate(text, point=point)
    return next((gate for gate in gates if gate.encoder == text.fingerprint), gates[0]).gate(text, point)


def _place(model: str | None, *, from_hub: bool) -> tuple[str, str]:
    """Return what diffusers loads, and what would have been allowed."""
    if model is None:
        from counterpoint.embedded import embedded_model_path

        return embedded_model_path(), "embedded weights that are whole"
    allowed = "a diffusers folder (with model_index.json)" + (", or a hub name as OWNER/NAME" if from_hub else "")
    is_local = not from_hub or os.path.exists(model) or not HUB_NAME.fullmatch(model)
    if is_local and not os.path.isfile(os.path.join(model, "model_index.json")):
        raise InvalidInput("model", model, allowed)
    return model, allowed
