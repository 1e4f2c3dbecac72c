"""Pipelines that start from a picture, around the models that are loaded already."""

from __future__ import annotations

from typing import Any

from counterpoint.interfaces import InvalidInput
from counterpoint.pipeline import SafePipeline
from counterpoint.server.picture_queue import Task


def editors(safe: SafePipeline) -> dict[Task, SafePipeline]:
    """Return guarded pipelines for "edit" and "inpaint", as far as the model has them; they share all weights."""
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting

    kinds: dict[Task, Any] = {"edit": AutoPipelineForImage2Image, "inpaint": AutoPipelineForInpainting}
    found: dict[Task, SafePipeline] = {}
    for task, kind in kinds.items():
        try:
            pipe = kind.from_pipe(safe.pipe)
            pipe.set_progress_bar_config(disable=True)
            found[task] = _around(safe, pipe)
        except (ValueError, AttributeError):  # InvalidInput is one, too: neither diffusers nor we know such a pipeline
            continue
    return found


def require(safe: SafePipeline | None, model: str) -> SafePipeline:
    """Return the pipeline for a task.

    Raises:
        InvalidInput: The model has none.
    """
    if safe is None:
        raise InvalidInput(
            "model", model, "a model with a pipeline of diffusers that edits pictures; this one has none"
        )
    return safe


def _around(safe: SafePipeline, pipe: Any) -> SafePipeline:
    """Return the same guard around another pipeline of the same models."""
    return SafePipeline(
        pipe,
        safety=safe.safety,
        detector=safe.detector,
        embedding=safe.embedding,
        picture_detectors=safe.picture_detectors,
        on_unsafe=safe.on_unsafe,
        doubt_from=safe.doubt_from,
        coupling=safe.coupling,
        schedule=safe.schedule,
        risk=safe.risk,
        local=safe.local,
        reuse=safe.reuse,
    )
