"""All pipelines of the installed diffusers that draw pictures from a prompt: what can be wrapped, and what not."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any, Literal

from counterpoint.families import families
from counterpoint.families.unsupported import reason_against

NO_PICTURES = re.compile(
    r"Prior|ShapE|Gemma|LLaDA|Audio|Music|AceStep|Spectrogram|Video|Latte|ConsisID|I2V|T2V|V2V|Onnx.*Legacy"
)
"""Names of pipelines whose result is no picture: embeddings, shapes, text, sound, video."""
MOVING = re.compile(r"num_frames|video|frames|audio")
"""Arguments that only pipelines of video and sound have."""
PICTURES = re.compile(
    r"(control_|mask_|reference_|input_|original_|gligen_|condtioning_)?images?|mask|image_embeddings|image_embeds"
)
"""Arguments that are pictures to start from."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One pipeline class."""

    pipeline: str
    takes: Literal["text", "text and a picture"]
    """What it can be given; a picture may be optional."""
    family: str | None
    """Name of the family that supports it; None where it is refused."""
    reason: str
    """Why it is refused; empty where it is supported."""


def picture_pipelines() -> list[type]:
    """Return the classes, by name; deprecated ones included."""
    import diffusers

    found = []
    for name in sorted(dir(diffusers)):
        cls: Any = getattr(diffusers, name, None) if "Pipeline" in name and not NO_PICTURES.search(name) else None
        if inspect.isclass(cls) and issubclass(cls, diffusers.DiffusionPipeline):
            names = inspect.signature(cls.__call__).parameters
            if "prompt" in names and not any(MOVING.search(argument) for argument in names):
                found.append(cls)
    return found


def unavailable() -> dict[str, list[str]]:
    """Return the classes that diffusers only names here, since a library is missing, with what they need."""
    import diffusers

    named = [name for name in sorted(dir(diffusers)) if "Pipeline" in name and not NO_PICTURES.search(name)]
    classes: dict[str, Any] = {name: getattr(diffusers, name, None) for name in named}
    return {
        name: list(cls._backends)
        for name, cls in classes.items()
        if inspect.isclass(cls) and hasattr(cls, "_backends") and not issubclass(cls, diffusers.DiffusionPipeline)
    }


def sweep() -> list[Entry]:
    """Return one entry a class."""
    supported = {name: family for family in families() for name in family.pipelines}
    entries = []
    for cls in picture_pipelines():
        family = supported.get(cls.__name__)
        names = inspect.signature(cls.__call__).parameters
        entries.append(
            Entry(
                pipeline=cls.__name__,
                takes="text and a picture" if any(PICTURES.fullmatch(name) for name in names) else "text",
                family=None if family is None else family.name,
                reason="" if family is not None else reason_against(cls),
            )
        )
    return entries
