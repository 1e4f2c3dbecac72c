"""`counterpoint serve`: the HTTP server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from counterpoint.cli import options
from counterpoint.interfaces import InvalidInput


def serve(
    config: Annotated[
        Path | None, typer.Option(help="TOML file with the settings.", show_default="environment and defaults")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.", show_default="8000")] = None,
    model: Annotated[
        str | None, typer.Option(help="Folder of the one model to serve.", show_default="the embedded model")
    ] = None,
    min_safety: Annotated[
        str | None, typer.Option(help="Floor of the dial: a level, or 0..1.", show_default="medium")
    ] = None,
) -> None:
    """Serve pictures over HTTP, in the shape of OpenAI's images interface.

    Flags go before COUNTERPOINT_* variables, and those before the file. Other addresses than loopback
    need api_keys.

    Example: counterpoint serve --config server.toml
    """
    with options.exit_codes():
        try:
            from counterpoint.server.config import EMBEDDED, load_settings
            from counterpoint.server.run import serve as run
        except ImportError as error:
            allowed = f"an installation with the server: pip install 'counterpoint[serve]' ({error.name} is missing)"
            raise InvalidInput("serve", "this installation", allowed) from None
        models = None if model is None else {Path(model).resolve().name if model != EMBEDDED else EMBEDDED: model}
        run(load_settings(config, host=host, port=port, models=models, min_safety=min_safety))
