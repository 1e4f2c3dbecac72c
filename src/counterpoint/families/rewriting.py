"""Text as the encoder gets it: some pipelines rewrite a prompt before they encode it, behind the gate's back.

PixArt, Sana and Lumina-Next clean a caption where Beautiful Soup and ftfy are installed: "k<b>n</b>ife" and "k%6eife"
are read as a knife. Wan mends its characters. So the gate reads both, what was written and what the
pipeline's own function makes of it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any


def as_encoded(pipe: Any, call: dict[str, Any], texts: Sequence[str]) -> list[str]:
    """Return each text as the pipeline encodes it; the text itself where case and spaces are all that differs.

    Args:
        pipe: The pipeline; its own functions rewrite.
        call: Its arguments: some say whether to rewrite.
        texts: Prompts or negative prompts.
    """
    rewrite = _rewriter(pipe, call)
    if rewrite is None:
        return list(texts)
    pairs = zip(texts, map(rewrite, texts), strict=True)
    return [before if not after.strip() or _words(after) == _words(before) else after for before, after in pairs]


def with_encoded_negatives(pipe: Any, call: dict[str, Any]) -> dict[str, Any]:
    """Return the call with its negative prompts as the pipeline encodes them."""
    changed = dict(call)
    for name, value in call.items():
        if name.startswith("negative_prompt") and isinstance(value, str):
            changed[name] = as_encoded(pipe, call, [value])[0]
        elif name.startswith("negative_prompt") and isinstance(value, (list, tuple)):
            changed[name] = [as_encoded(pipe, call, [v])[0] if isinstance(v, str) else v for v in value]
    return changed


def _rewriter(pipe: Any, call: dict[str, Any]) -> Callable[[str], str] | None:
    """Return the pipeline's own function; None where it encodes what is written."""
    if hasattr(pipe, "_text_preprocessing"):
        parameter = inspect.signature(type(pipe).__call__).parameters.get("clean_caption")
        if parameter is None or not call.get("clean_caption", parameter.default):
            return None
        return lambda text: str(pipe._text_preprocessing(text, clean_caption=True)[0])
    modules = [sys.modules.get(cls.__module__) for cls in type(pipe).__mro__]
    found: Callable[[str], str] | None = next(filter(None, (getattr(m, "prompt_clean", None) for m in modules)), None)
    return found


def _words(text: str) -> list[str]:
    return text.lower().split()
