"""`counterpoint inspect`: what a picture file says of where it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterpoint.cli import options

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
        import dataclasses

        from counterpoint.provenance.inspection import inspect_file
        from counterpoint.provenance.watermark import DEFAULT_KEY

        found = inspect_file(file, key=DEFAULT_KEY if watermark_key is None else watermark_key.encode())
        if as_json:
            options.print_json(dataclasses.asdict(found))
        else:
            typer.echo("\n".join(_lines(found)))


def _lines(found: Inspection) -> list[str]:
    record = found.record or {}
    report = record.get("report") or {}
    mark = "found" if found.has_watermark else "not found"
    lines = [
        f"file        {found.file_format}, {found.width}x{found.height}",
        f"synthetic   {'yes' if found.is_synthetic else 'nothing says so'}",
        f"source      {found.source_type or 'not named'}",
        f"watermark   {mark} ({found.watermark_z:.1f} standard deviations)",
        f"manifest    {_manifest(found)}",
        f"record      {'yes' if record else 'none'}",
    ]
    names = ("model", "scheduler", "steps", "guidance_scale", "seed", "prompt_sha256")
    lines += [f"  {name:<14}  {record[name]}" for name in names if name in record]
    lines += [f"  {name:<14}  {report[name]}" for name in ("action", "safety", "weight", "tau") if name in report]
    return lines


def _manifest(found: Inspection) -> str:
    if not found.reads_manifests:
        return "not read: pip install 'counterpoint[c2pa]'"
    if found.manifest is None:
        return "none"
    sources = ", ".join(source.rsplit("/", 1)[-1] for source in found.manifest.source_types)
    return f"{found.manifest.state}, signed by {found.manifest.signer or 'nobody known'}: {sources or 'no source'}"
