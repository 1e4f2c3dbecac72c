"""Which code drew a picture: released version numbers, and a hash of the sources that decide pictures."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import counterpoint
from counterpoint.png import package_versions

ROOMS = (
    "mixing", "levels", "normalise", "text_space", "engines", "embeddings", "detectors", "families", "request",
    "safe_text", "thresholds", "picture_detectors", "output_check", "gate", "pipeline", "methods", "pictures",
)  # fmt: skip
"""Parts of the package that decide what is drawn; metrics and reports do not."""


@cache
def drawing_code_sha256() -> str:
    """Return the SHA-256 over the sources of `ROOMS`: a picture of other code is never taken for one of this code."""
    root = Path(counterpoint.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if place.parts[0].removesuffix(".py") in ROOMS:
            digest.update(f"\n{place.as_posix()} ".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Return all that says which code draws."""
    return {**package_versions(), "drawing code": drawing_code_sha256()}
