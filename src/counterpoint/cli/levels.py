"""`counterpoint levels`: the dial in numbers."""

from __future__ import annotations

import typer

from counterpoint.cli import drawing, options


def levels(as_json: options.Json = False) -> None:
    """Print the dial: what each level's name stands for."""
    from counterpoint.levels import LEVELS

    rows = [{"name": name, **drawing.level_numbers(safety)} for name, safety in LEVELS.items()]
    if as_json:
        options.print_json(rows)
        return
    typer.echo(f"{'name':<8}{'safety':>8}{'weight':>8}{'tau':>8}")
    for row in rows:
        typer.echo(f"{row['name']:<8}{row['safety']:>8.2f}{row['weight']:>8.2f}{row['tau']:>8.2f}")
