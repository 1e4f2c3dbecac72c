"""Which code drew a picture: released version numbers, and a hash of the sources and weights that decide pictures."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import counterpoint
from counterpoint.png import package_versions

ROOMS = (
    "mixing", "levels", "normalise", "text_space", "engines", "embeddings", "detectors", "families", "request",
    "safe_text", "thresholds", "picture_detectors", "output_check", "gate", "pipeline", "methods", "pictures",
    "redraw", "options", "risk_weight", "reports", "interfaces", "recognisers", "sheet", "embedded", "calls",
    "scenes/captions", "scenes/vocabulary", "scenes/world", "classifier_weights", "sanitizer_weights",
    "recogniser_weights/checker",
)  # fmt: skip
"""Parts of the package that decide what is drawn: all that the methods import, and the weights and thresholds beside
them. Metrics and reports do not; the embedded model has a fingerprint of its own."""
DATA = (".py", ".json", ".safetensors")
ASIDE = "families/conformance"
"""What tests found out about the families: it decides no picture."""


@cache
def drawing_code_sha256() -> str:
    """Return the SHA-256 over the files of `ROOMS`: a picture of other code is never taken for one of this code."""
    root = Path(counterpoint.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root)
        if path.suffix in DATA and is_room(place):
            digest.update(f"\n{place.as_posix()} ".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def is_room(place: Path) -> bool:
    """Return whether a file, by its path within the package, is or lies in one of `ROOMS`."""
    name = place.with_suffix("").as_posix()
    return name != ASIDE and any(name == room or name.startswith(f"{room}/") for room in ROOMS)


def versions() -> dict[str, str]:
    """Return all that says which code draws."""
    return {**package_versions(), "drawing code": drawing_code_sha256()}
