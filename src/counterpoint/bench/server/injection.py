"""Break one part of a running server at one of its calls."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal

import torch

from counterpoint.bench.server.running import Inside
from counterpoint.engines import mixed_rows
from counterpoint.engines.patched import TRUSTED
from counterpoint.interfaces import Detection
from counterpoint.provenance import marking, watermark

Kind = Literal["raises", "out of memory", "NaN", "gives nothing"]
Part = tuple[Any, str]
"""An object, and the name under which it, or a module, holds what is broken."""
LISTS = {"gate before the queue", "gate", "picture check", "post-processing"}
"""Points whose answer is a list: one may give nothing."""
NUMBERS = {"gate before the queue", "gate", "text encoder", "denoiser", "mix", "scheduler", "decoder", "picture check"}
"""Points whose answer holds numbers: they may be NaN."""


def points(server: Inside) -> dict[str, Part]:
    """Return twelve parts between a request and its file, in the order in which they run; it has a picture check."""
    safe, pipe = server.safe, server.safe.pipe
    gate = server.service.gate()
    return {
        "gate before the queue": (gate.safe, "detector"),
        "gate": (safe, "detector"),
        "safe embedding": (safe, "embedding"),
        "text encoder": (pipe.text_encoder, "forward"),
        "denoiser": (pipe.unet, "forward"),
        "mix": (mixed_rows, "mix"),
        "scheduler": (pipe.scheduler, "step"),
        "decoder": (pipe.vae, "decode"),
        "post-processing": (pipe.image_processor, "postprocess"),
        "picture check": (type(safe.picture_detectors[0]), "__call__"),
        "watermark": (watermark, "embed"),
        "file": (marking, "encode_picture"),
    }


def kinds(point: str) -> list[Kind]:
    """Return the ways in which a point can fail."""
    found: list[Kind] = ["raises", "out of memory"]
    found += ["NaN"] if point in NUMBERS else []
    return [*found, "gives nothing"] if point in LISTS else found


class Injection:
    """While the block runs, one call of a part fails; all others are as they were.

    Args:
        part: What to break.
        kind: How it fails.
        at: At which of its calls, from 1.
        fail: What is called in place of that call; None = what `kind` says.
    """

    def __init__(self, part: Part, kind: Kind, at: int, fail: Callable[..., Any] | None = None) -> None:
        self._owner, self._name = part
        self._given = fail
        self._kind, self._at, self._calls = kind, at, 0
        self._real: Callable[..., Any] = getattr(self._owner, self._name)
        self._is_own = self._name in vars(self._owner)

    @property
    def fired(self) -> bool:
        """Whether that call came."""
        return self._calls >= self._at

    def __enter__(self) -> Injection:
        """Put the broken part in place."""

        def broken(*args: Any, **kwargs: Any) -> Any:
            self._calls += 1
            return self._real(*args, **kwargs) if self._calls != self._at else self._fail(args, kwargs)

        if hasattr(self._real, "__name__"):  # a function or method: its signature may be read
            broken = functools.wraps(self._real)(broken)
        setattr(broken, TRUSTED, True)  # it keeps no answer: the engine need not refuse it
        setattr(self._owner, self._name, broken)
        return self

    def __exit__(self, *_: object) -> None:
        """Put the real part back."""
        if self._is_own:
            setattr(self._owner, self._name, self._real)
        else:
            delattr(self._owner, self._name)

    def _fail(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._given is not None:
            return self._given(*args, **kwargs)
        match self._kind:
            case "raises":
                raise RuntimeError("injected")
            case "out of memory":
                raise torch.OutOfMemoryError("injected")
            case "gives nothing":
                return []
            case "NaN":
                return spoilt(self._real(*args, **kwargs))


def spoilt(answer: Any) -> Any:
    """Return an answer with NaN in place of its numbers; detections say "safe" then."""
    if isinstance(answer, torch.Tensor):
        return torch.full_like(answer, float("nan"))
    if isinstance(answer, Detection):
        return dataclasses.replace(answer, is_unsafe=False, score=float("nan"))
    if isinstance(answer, (list, tuple)):
        return type(answer)(map(spoilt, answer))
    for name, value in answer.items():  # diffusers' and transformers' outputs
        if isinstance(value, torch.Tensor):
            answer[name] = spoilt(value)
    return answer
