"""`counterpoint families`: which diffusers pipelines can be wrapped, and why others cannot."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from counterpoint.cli import options


def families(
    everything: Annotated[
        bool, typer.Option("--sweep", help="All that draw pictures in the installed diffusers, not only those we know.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Print the pipelines that can be wrapped, and why some others cannot.

    Examples: counterpoint families --json; counterpoint families --sweep
    """
    rows = [*_supported(), *(_all_others() if everything else _unsupported())]
    if as_json:
        options.print_json(rows)
        return
    width = max(len(row["pipeline"]) for row in rows)
    for is_supported, title in ((True, "can be wrapped"), (False, "cannot be wrapped, because")):
        typer.echo(title)
        for row in rows:
            if row["supported"] == is_supported:
                typer.echo(f"  {row['pipeline']:<{width}}  {_line(row)}")
    _print_claims()
    if everything:
        counts = Counter(row["supported"] for row in rows)
        typer.echo(f"{counts[True]} can be wrapped, {counts[False]} cannot")


def _line(row: dict[str, Any]) -> str:
    from counterpoint.families.conformance import conformance

    parts = [row["family"], " or ".join(row["engines"])]
    if row["supported"]:
        ways = conformance().ways(row["pipeline"])
        parts += [conformance().verdict(row["pipeline"]), ways and f"also with {ways}"]
    return "; ".join(part for part in [*parts, row["note"]] if part)


def _print_claims() -> None:
    from counterpoint.families.conformance import conformance

    record = conformance()
    typer.echo(f"the claims, tested on tiny pipelines with diffusers {record.diffusers} on {record.date}")
    for title in record.claims:
        typer.echo(f"  {title}")


def _supported() -> list[dict[str, Any]]:
    from counterpoint.families import families as known
    from counterpoint.families.conformance import conformance

    record = conformance()
    return [
        {
            "pipeline": name,
            "supported": True,
            "family": family.name,
            "engines": list(family.engines([name])),
            "note": family.note,
            "claims": record.claims_of(name),
            "also": record.also_of(name),
            "tested": {"diffusers": record.diffusers, "date": record.date},
        }
        for family in known()
        for name in family.pipelines
    ]


def _all_others() -> list[dict[str, Any]]:
    from counterpoint.families.sweep import sweep

    return [_refused(entry.pipeline, entry.reason) for entry in sweep() if entry.family is None]


def _unsupported() -> list[dict[str, Any]]:
    from counterpoint.families.unsupported import UNSUPPORTED

    return [_refused(name, reason) for name, reason in UNSUPPORTED.items()]


def _refused(name: str, reason: str) -> dict[str, Any]:
    return {"pipeline": name, "supported": False, "family": "", "engines": [], "note": reason}
