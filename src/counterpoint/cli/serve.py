"""`counterpoint serve`: the HTTP server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterpoint.cli import options
from counterpoint.interfaces import InvalidInput

if TYPE_CHECKING:
    from counterpoint.server.cluster import Cluster
    from counterpoint.server.config import Settings


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
    ray: Annotated[bool, typer.Option("--ray", help="Serve from replicas on Ray; extra [ray].")] = False,
    replicas: Annotated[int | None, typer.Option(help="With --ray: how many.", show_default="1")] = None,
    replica_cpus: Annotated[
        float | None, typer.Option(help="With --ray: cores that each reserves; may be a fraction.", show_default="1")
    ] = None,
    replica_gpus: Annotated[
        float | None,
        typer.Option(help="With --ray: GPUs of each; may be a fraction.", show_default="1 where the cluster has any"),
    ] = None,
) -> None:
    """Serve pictures over HTTP, in the shape of OpenAI's images interface.

    Flags go before COUNTERPOINT_* variables, and those before the file. Other addresses than loopback
    need api_keys. With --ray the cluster is that of RAY_ADDRESS, or one that is started on this machine.

    Example: counterpoint serve --config server.toml
    """
    with options.exit_codes():
        try:
            from counterpoint.server.cluster import Cluster
            from counterpoint.server.config import EMBEDDED, load_settings
            from counterpoint.server.run import serve as run
        except ImportError as error:
            allowed = f"an installation with the server: pip install 'counterpoint[serve]' ({error.name} is missing)"
            raise InvalidInput("serve", "this installation", allowed) from None
        models = None if model is None else {Path(model).resolve().name if model != EMBEDDED else EMBEDDED: model}
        given = {"replicas": replicas, "cpus": replica_cpus, "gpus": replica_gpus}
        given = {name: value for name, value in given.items() if value is not None}
        if given and not ray:
            raise InvalidInput("replicas", "replicas without --ray", "--ray with them, or one server")
        cluster = Cluster(**given)  # type: ignore[arg-type]
        settings = load_settings(config, host=host, port=port, models=models, min_safety=min_safety)
        if ray:
            _serve_on_ray(settings, cluster)
        else:
            run(settings)


def _serve_on_ray(settings: Settings, cluster: Cluster) -> None:
    try:
        from counterpoint.server.on_ray import serve_on_ray
    except ImportError as error:
        allowed = f"an installation with Ray: pip install 'counterpoint[ray,serve]' ({error.name} is missing)"
        raise InvalidInput("ray", "this installation", allowed) from None
    serve_on_ray(settings, cluster)
