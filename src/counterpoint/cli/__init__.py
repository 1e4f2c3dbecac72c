"""The command line. One file per command; nothing here imports torch before a command runs.

Results go to stdout, progress and logs to stderr. Exit codes: 0 done, 2 wrong usage or input,
3 blocked as unsafe (or a safety step failed), 4 some pictures or verdicts of several are missing.
"""

from __future__ import annotations

from typing import Annotated

import typer

from counterpoint.cli import calibrate as calibrate_command
from counterpoint.cli.bench import bench
from counterpoint.cli.check import check
from counterpoint.cli.compare import compare
from counterpoint.cli.families import families
from counterpoint.cli.generate import generate
from counterpoint.cli.inspect import inspect
from counterpoint.cli.levels import levels
from counterpoint.cli.serve import serve
from counterpoint.cli.ui import ui

app = typer.Typer(
    name="counterpoint",
    help="Safe pictures from text, without editing the model: two latent streams, one dial.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
for command in (generate, compare, check, levels, families, inspect, serve, ui):
    app.command()(command)
app.add_typer(bench, name="bench")
app.command(epilog=calibrate_command.EPILOG)(calibrate_command.calibrate)


def _show_version(wanted: bool) -> None:
    if wanted:
        from counterpoint import __version__

        typer.echo(f"counterpoint {__version__}")
        raise typer.Exit


@app.callback(epilog="Exit codes: 0 done, 2 wrong usage or input, 3 blocked as unsafe, 4 partial.")
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Safe pictures from text, without editing the model: two latent streams, one dial."""


def main() -> None:
    """Run the command line: the entry point of the installed program."""
    app(prog_name="counterpoint")
