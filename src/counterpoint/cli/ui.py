"""`counterpoint ui`: the web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from counterpoint.cli import options
from counterpoint.interfaces import InvalidInput


def ui(
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file with the server's settings.", show_default="environment and defaults"),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 7860,
    model: Annotated[
        str | None, typer.Option(help="Folder of the one model to draw with.", show_default="the embedded model")
    ] = None,
    min_safety: Annotated[
        str | None, typer.Option(help="Floor of the dial: a level, or 0..1.", show_default="medium")
    ] = None,
    research: Annotated[
        bool, typer.Option("--research", help="Let visitors compare with the plain model's picture; loopback only.")
    ] = False,
) -> None:
    """Open a web page: prompt, dial, picture, and what was done and why.

    The settings are those of `counterpoint serve`; the port is the page's own. Nothing is fetched from
    elsewhere, and no prompt is written down. Other addresses than loopback need api_keys.

    Example: counterpoint ui --min-safety off
    """
    with options.exit_codes():
        try:
            from counterpoint.server.config import EMBEDDED, load_settings
            from counterpoint.ui.app import run
        except ImportError as error:
            allowed = f"an installation with the page: pip install 'counterpoint[ui]' ({error.name} is missing)"
            raise InvalidInput("ui", "this installation", allowed) from None
        models = None if model is None else {Path(model).resolve().name if model != EMBEDDED else EMBEDDED: model}
        settings = load_settings(config, host=host, port=port, models=models, min_safety=min_safety)
        run(settings, is_research=research, ready=lambda address: typer.echo(f"counterpoint ui: {address}"))
