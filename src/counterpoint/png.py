"""PNG files that say how they were made, and keep the prompt to themselves unless asked.

Two text chunks: `parameters`, the settings line that many tools read (prompt first where it is
saved), and `counterpoint`, the whole record as JSON.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from counterpoint.interfaces import InvalidInput

SCHEMA_VERSION = 1
CHUNK = "counterpoint"
PACKAGES = ("counterpoint", "diffusers", "torch", "transformers")


def prompt_sha256(prompt: str) -> str:
    """Return the prompt's name in records: the SHA-256 of its UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()


def package_versions() -> dict[str, str]:
    """Return the versions of the installed packages that shape a picture."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run from a source tree
            continue
    return versions


@dataclass(frozen=True, kw_only=True)
class PictureRecord:
    """How one picture (or one contact sheet) was made."""

    prompt_sha256: str
    seed: int
    steps: int
    """Denoising steps that were asked for, from 1."""
    guidance_scale: float
    """1 = off."""
    scheduler: str
    model: str
    """Name of the model: its hub name, or the last part of its folder's path."""
    report: dict[str, Any] | None = None
    """`SafetyReport` as a dictionary; None for a contact sheet, and for a picture that is not finished."""
    panels: tuple[dict[str, Any], ...] = ()
    """One entry a panel of a contact sheet, with its own report."""
    prompt: str | None = None
    """None unless the caller asked to save it."""
    safe_prompt: str | None = None
    """None unless given, and the caller asked to save it."""
    safe_prompt_sha256: str | None = None
    """None where the caller gave no safe prompt."""
    packages: dict[str, str] = field(default_factory=package_versions)
    schema_version: int = SCHEMA_VERSION

    def parameters(self, size: tuple[int, int]) -> str:
        """Return the settings line, after the prompt where it is saved."""
        settings: dict[str, object] = {
            "Steps": self.steps, "Sampler": self.scheduler, "CFG scale": self.guidance_scale, "Seed": self.seed,
            "Size": f"{size[0]}x{size[1]}", "Model": self.model,
        }  # fmt: skip
        if self.report is not None:
            settings |= {f"Safety {name}": self.report[name] for name in ("action", "weight", "tau")}
        version = self.packages.get("counterpoint")
        settings["Version"] = f"counterpoint {version}" if version else "counterpoint"
        line = ", ".join(f"{name}: {_quote(str(value))}" for name, value in settings.items())
        return line if self.prompt is None else f"{self.prompt}\n{line}"


def _quote(value: str) -> str:
    # Readers of this line split at commas and colons, and take a quoted value as JSON.
    return json.dumps(value) if any(mark in value for mark in ",:\n") else value


def encode_png(image: Image.Image, record: PictureRecord) -> bytes:
    """Return the PNG file with both text chunks."""
    info = PngInfo()
    info.add_text("parameters", record.parameters(image.size))
    info.add_text(CHUNK, json.dumps(dataclasses.asdict(record), allow_nan=False))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def save_png(image: Image.Image, path: Path, record: PictureRecord, *, overwrite: bool = False) -> None:
    """Write the picture and its record.

    Raises:
        InvalidInput: The file exists and `overwrite` is False, or it cannot be written.
    """
    write_file(path, encode_png(image, record), overwrite=overwrite)


def write_file(path: Path, content: bytes, *, overwrite: bool = False) -> None:
    """Write a whole file.

    Raises:
        InvalidInput: The file exists and `overwrite` is False, or it cannot be written.
    """
    try:
        with path.open("wb" if overwrite else "xb") as file:
            file.write(content)
    except FileExistsError:
        raise InvalidInput("out", str(path), "a file that does not exist yet (--overwrite replaces it)") from None
    except OSError as error:
        raise InvalidInput("out", str(path), f"a place that can be written ({error.strerror})") from error


def read_metadata(path: Path) -> PictureRecord:
    """Read a picture's record back.

    Raises:
        InvalidInput: The file is no picture, or holds no record of a version that is known here.
    """
    allowed = f"a PNG file with a `{CHUNK}` record of version {SCHEMA_VERSION}"
    try:
        with Image.open(path) as image:
            image.load()
            fields = json.loads(getattr(image, "text", {})[CHUNK])
        if fields["schema_version"] != SCHEMA_VERSION:
            raise InvalidInput("picture", str(path), allowed)
        fields["panels"] = tuple(fields["panels"])
        return PictureRecord(**fields)
    except (OSError, UnidentifiedImageError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise InvalidInput("picture", str(path), allowed) from error


def require_new(paths: Sequence[Path], *, overwrite: bool) -> None:
    """Check before any drawing that no file would be lost, and make the folders.

    Raises:
        InvalidInput: A file exists and `overwrite` is False, or a folder cannot be made.
    """
    for path in paths:
        if path.is_dir():
            raise InvalidInput("out", str(path), "a file; this is a folder")
        if path.exists() and not overwrite:
            raise InvalidInput("out", str(path), "a file that does not exist yet (--overwrite replaces it)")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput("out", str(path), f"a place that can be written ({error.strerror})") from error
