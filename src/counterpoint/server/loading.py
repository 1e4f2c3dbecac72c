"""Models from the operator's list, guarded by the operator's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from counterpoint import loading
from counterpoint.gate_settings import read_gate_settings
from counterpoint.interfaces import InvalidInput
from counterpoint.loading import picture_detector
from counterpoint.server.config import EMBEDDED, Settings
from counterpoint.server.logs import quiet_libraries

if TYPE_CHECKING:
    from counterpoint.pipeline import SafePipeline


def load_pipe(place: str) -> Any:
    """Load a diffusers folder: safetensors only, local files only, no code of the folder's own.

    Raises:
        InvalidInput: There is no such model, or it cannot be loaded.
    """
    quiet_libraries()
    pipe = loading.load_pipe(None if place == EMBEDDED else place)
    if pipe.device.type == "cpu" and hasattr(pipe, "vae") and hasattr(pipe.vae, "enable_slicing"):
        pipe.vae.enable_slicing()  # several pictures at once overflow a processor's cache: slower than one by one
    return pipe


def wrap(pipe: Any, settings: Settings) -> SafePipeline:
    """Guard a pipeline by the operator's rules.

    Raises:
        InvalidInput: The pipeline is not supported, draws no pictures, none of the gates is its own, or `on_unsafe`
            is set where nothing could call a picture unsafe.
    """
    from counterpoint.pipeline import SafePipeline

    if "on_unsafe" in settings.model_fields_set and not settings.picture_detectors:
        raise InvalidInput("on_unsafe", settings.on_unsafe, "left out, or with picture_detectors that call any unsafe")
    safe = SafePipeline(
        pipe,
        safety=settings.safety,
        detector=loading.gate_for(pipe, [read_gate_settings(path) for path in settings.gates], settings.gate_point),
        picture_detectors=[picture_detector(name) for name in settings.picture_detectors],
        on_unsafe=settings.on_unsafe,
        doubt_from=settings.doubt_from,
        risk=settings.risk,
        local=settings.local,
        reuse=settings.reuse,
    )
    if safe.family.is_video:
        raise InvalidInput("models", type(pipe).__name__, "models of pictures; this one gives video")
    return safe
