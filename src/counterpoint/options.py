"""The options of a SafePipeline, checked before any of them is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from counterpoint.engines.local_weight import LocalWeight
from counterpoint.families import Family, family_of, packs_latents
from counterpoint.interfaces import Coupling, EngineName, InvalidInput, PictureDetector


def resolve_engine(engine: str, coupling: Coupling, available: Sequence[EngineName]) -> EngineName:
    """Return the engine that a pipeline is steered by.

    Raises:
        InvalidInput: There is no such engine, or this pipeline or coupling has another one only.
    """
    if engine not in ("auto", "fused", "reference"):
        raise InvalidInput("engine", engine, "auto, fused or reference")
    wanted: EngineName = "reference" if engine == "reference" or coupling == "parallel" else "fused"
    if engine == "fused" and coupling == "parallel":
        raise InvalidInput("engine", engine, "reference or auto: the fused engine knows joined streams only")
    if wanted not in available:
        field = "engine" if engine == "reference" else "coupling"
        raise InvalidInput(field, engine if field == "engine" else coupling, "this pipeline has the fused engine only")
    return wanted


def check_mixing(
    pipe: Any, local: LocalWeight | None, reuse: int | None, coupling: Coupling, engine: EngineName
) -> tuple[LocalWeight | None, int | None]:
    """Return `local` and `reuse`.

    Raises:
        InvalidInput: One of them is wrong, or does not go with the coupling, the engine or the pipeline.
    """
    if local is not None and not isinstance(local, LocalWeight):
        raise InvalidInput("local", local, "None or a LocalWeight")
    if local is not None and coupling == "parallel":
        raise InvalidInput("local", local, "None with parallel streams: they differ by more than their last step")
    if local is not None and family_of(pipe).channels_last:
        raise InvalidInput("local", local, "None: this pipeline's latents have their channels last")
    if local is not None and local.smooth > 1 and packs_latents(pipe):
        raise InvalidInput("local", local, "LocalWeight(smooth=1): this pipeline packs its latents, which have no grid")
    if reuse is None:
        return local, None
    if isinstance(reuse, bool) or not isinstance(reuse, int) or reuse < 1:
        raise InvalidInput("reuse", reuse, "a whole number from 1")
    if reuse > 1 and engine == "reference":
        raise InvalidInput("reuse", reuse, "1: the reference engine runs both streams at each step")
    return local, reuse


def check_picture_detectors(detectors: Sequence[PictureDetector], family: Family) -> tuple[PictureDetector, ...]:
    """Return the detectors.

    Raises:
        InvalidInput: They are no list of functions of pictures, or the pipeline gives video.
    """
    allowed = "a list of detectors, each called with a list of pictures"
    if not isinstance(detectors, (list, tuple)):
        raise InvalidInput("picture_detectors", type(detectors).__name__, allowed)
    for detector in detectors:
        if not callable(detector) or isinstance(detector, type):
            raise InvalidInput("picture_detectors", repr(detector)[:60], allowed)
    if detectors and family.is_video:
        raise InvalidInput("picture_detectors", len(detectors), f"none: {family.name} gives video")
    return tuple(detectors)


def check_doubt(doubt_from: float | None) -> float | None:
    """Return `doubt_from`.

    Raises:
        InvalidInput: It is no score above 0.
    """
    if doubt_from is not None and not 0.0 < doubt_from <= 1.0:
        raise InvalidInput("doubt_from", doubt_from, "None, or above 0 up to 1")
    return doubt_from
