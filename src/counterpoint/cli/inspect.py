"""`counterpoint inspect`: what a picture file says of where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterpoint.cli import options

MOST_CHARS = 200
"""Characters that are shown of one value of the metadata; `--json` has all of them."""

if TYPE_CHECKING:
    from counterpoint.provenance.inspection import Inspection


def inspect(
    file: Annotated[Path, typer.Argument(help="A PNG, JPEG or WebP file.", show_default=False)],
    watermark_key: Annotated[
        str | None, typer.Option(help="Key of the watermark.", show_default="the public one")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Read a picture's metadata, its C2PA manifest and its invisible watermark.

    The exit code is 0 whatever the file says. Metadata can be written and removed by anyone. A "Valid" manifest
    says that the file is what its signer signed, "Trusted" that the signer stands on a trust list, too.

    Example: counterpoint inspect chef.png --json
    """
    with options.exit_codes():
        from counterpoint.provenance.inspection import inspect_file
        from counterpoint.provenance.watermark import DEFAULT_KEY

        found = inspect_file(file, key=DEFAULT_KEY if watermark_key is None else watermark_key.encode())
        if as_json:
            seen = None if found.manifest is None else vars(found.manifest)
            options.print_json({**vars(found), "manifest": seen})
        else:
            typer.echo("\n".join(_lines(found)))


def _lines(found: Inspection) -> list[str]:
    record = found.record or {}
    report = record.get("report")
    report = report if isinstance(report, dict) else {}
    mark = "found" if found.has_watermark else "not found"
    lines = [
        f"file        {found.file_format}, {found.width}x{found.height}",
        f"synthetic   {'yes' if found.is_synthetic else 'nothing says so'}",
        f"source      {_plain(found.source_type or 'not named')}",
        f"watermark   {mark} ({found.watermark_z:.1f} standard deviations)",
        f"manifest    {_manifest(found)}",
        f"record      {'yes' if record else 'none'}",
    ]
    names = ("model", "scheduler", "steps", "guidance_scale", "seed", "prompt_sha256")
    done = ("action", "safety", "weight", "tau")
    lines += [f"  {name:<14}  {_plain(record[name])}" for name in names if name in record]
    lines += [f"  {name:<14}  {_plain(report[name])}" for name in done if name in report]
    return lines


def _plain(value: object) -> str:
    """Return a stranger's text in one line: what would move the cursor, or forge a line, is spelt out."""
    text = str(value)
    shown = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text[:MOST_CHARS])
    return shown + ("..." if len(text) > MOST_CHARS else "")


def _manifest(found: Inspection) -> str:
    if not found.reads_manifests:
        return "not read: pip install 'counterpoint[c2pa]'"
    if found.manifest is None:
        return "none"
    sources = ", ".join(source.rsplit("/", 1)[-1] for source in found.manifest.source_types)
    signer = _plain(found.manifest.signer or "nobody known")
    return f"{found.manifest.state}, signed by {signer}: {_plain(sources or 'no source')}"
