"""What is written down of an exception: never a word of a prompt, since messages may quote one."""

from __future__ import annotations

import traceback
from pathlib import Path

from counterpoint.interfaces import InvalidInput


def failure(error: BaseException) -> str:
    """Return the kind of an exception and where it was raised, without its message."""
    kinds = [type(error).__name__]
    cause = error.__cause__
    while cause is not None:
        kinds.append(type(cause).__name__)
        cause = cause.__cause__
    what = " from ".join(kinds)
    if isinstance(error, InvalidInput):
        return f"{what} in `{error.field}`"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{what} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else what
