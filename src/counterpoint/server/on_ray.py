"""The same application on replicas of Ray Serve: several processes, or GPUs, or machines, behind one address.

Each replica is a whole server of its own: queue, quota, limits, gate and models. Ray's proxy hands each request to
one of them, and puts a new one in the place of one that died. What has to be one for all is not kept:

    idempotent answers      an `Idempotency-Key` is refused where there are several replicas
    quota, queue            per replica, see docs/server.md
    metrics                 of the replica that answers, which is named in each line

A request is drawn by one replica only, so that its bytes are those of the plain server.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import threading
import time
from typing import Any

import ray
from fastapi import FastAPI
from pydantic import SecretStr
from ray import serve
from ray.serve.config import HTTPOptions
from ray.serve.schema import LoggingConfig

from counterpoint.interfaces import InvalidInput
from counterpoint.server.app import create_app
from counterpoint.server.cluster import Cluster
from counterpoint.server.config import Settings
from counterpoint.server.connections import IDLE_SECONDS
from counterpoint.server.logs import configure_logging, log_event
from counterpoint.server.service import Service

NAME = "counterpoint"
MOST_ONGOING = 1000
"""Requests that Ray hands to one replica at a time; it is the replica's own queue that refuses."""
MOST_WAITING_AT_PROXY = 100
"""Beyond, Ray's proxy answers 503 itself."""
END_SECONDS = 10
"""What Ray gets to take away replicas that have nothing left to do."""
QUIET = LoggingConfig(enable_access_log=False)
"""Ray's access log holds what was typed into the address."""


class Replica:
    """One server; Ray sends it requests once `check_health` has returned."""

    def __init__(self, settings: Settings, replicas: int) -> None:
        configure_logging()
        name = serve.get_replica_context().replica_tag
        self.service = Service(settings, replica=name, keeps_answers=replicas == 1)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the application; Ray starts it."""
        return create_app(self.service)

    async def check_health(self) -> None:
        """Return once all models draw.

        Raises:
            RuntimeError: One cannot be loaded, or its thread has ended: Ray starts another replica.
        """
        while (states := set(self.service.states().values())) & {"loading"}:
            await asyncio.sleep(0.1)
        if states & {"broken", "stopped"}:
            raise RuntimeError("a model cannot be loaded; the replica's log has the setting")


class _Stopped(BaseException):
    """SIGTERM or SIGINT has come."""


def serve_on_ray(settings: Settings, cluster: Cluster) -> None:
    """Serve until SIGTERM or SIGINT; then what is under way is finished, up to `drain_seconds`.

    Args:
        settings: The operator's, for each replica.
        cluster: Number and size of the replicas.

    Raises:
        InvalidInput: The port is 0, the cluster is another's, has no room for the replicas, or they do not start.
    """
    configure_logging()
    if settings.port == 0:
        raise InvalidInput("port", 0, "the number of a port: with --ray none is chosen")
    try:
        _connect()
        gpus = _check_room(cluster)
        _on_signals(_stop)
        serve.start(
            http_options=HTTPOptions(host=settings.host, port=settings.port, keep_alive_timeout_s=IDLE_SECONDS),
            logging_config=QUIET,
        )
        _run(settings, cluster, gpus)
        log_event(
            "serving", host=settings.host, port=settings.port, models=list(settings.models),
            keys=len(settings.api_keys), replicas=cluster.replicas,
        )  # fmt: skip
        threading.Event().wait()
    except _Stopped:
        _on_signals(signal.SIG_IGN)
        _drain(settings.drain_seconds)
    finally:
        ray.shutdown()


def _connect() -> None:
    """Reach the cluster of RAY_ADDRESS, or start one on this machine; its own ports ask for a token.

    Raises:
        InvalidInput: Ray Serve runs on the cluster already.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if "RAY_ADDRESS" in os.environ:
        ray.init(log_to_driver=False)
        if serve.status().proxies:
            allowed = "a cluster without: its address and port would stay, and its applications would end with this one"
            raise InvalidInput("RAY_ADDRESS", "a cluster on which Ray Serve runs", allowed)
        return
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else Ray writes one into the home folder
    ray.init(include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")


def _check_room(cluster: Cluster) -> float:
    """Return the GPUs of each replica.

    Raises:
        InvalidInput: They would wait forever for what the cluster does not have.
    """
    there = ray.cluster_resources()
    gpus = cluster.gpus if cluster.gpus is not None else float(there.get("GPU", 0) >= 1)
    for field, each, name in (("replica_cpus", cluster.cpus, "CPU"), ("replica_gpus", gpus, "GPU")):
        if each * cluster.replicas > there.get(name, 0):
            allowed = f"at most {there.get(name, 0):g} {name}s for all {cluster.replicas} replicas of this cluster"
            raise InvalidInput(field, each, allowed)
    return gpus


def _run(settings: Settings, cluster: Cluster, gpus: float) -> None:
    """Start the replicas; return when they are ready.

    Raises:
        InvalidInput: They do not start.
    """
    deployment = serve.deployment(
        serve.ingress()(Replica),
        name=NAME,
        num_replicas=cluster.replicas,
        ray_actor_options={"num_cpus": cluster.cpus, "num_gpus": gpus},
        max_ongoing_requests=MOST_ONGOING,
        max_queued_requests=MOST_WAITING_AT_PROXY,
        graceful_shutdown_timeout_s=settings.drain_seconds,
        graceful_shutdown_wait_loop_s=0.1,
        max_constructor_retry_count=1,
        logging_config=QUIET,
    )
    try:
        serve.run(deployment.bind(_shared(settings), cluster.replicas), name=NAME)
    except RuntimeError:
        raise InvalidInput("replicas", "one that does not start", "models that can be loaded; see Ray's log") from None


def _shared(settings: Settings) -> Settings:
    """Return the settings as all replicas get them: read once, here, and with one key for the log's hashes."""
    given = {name: getattr(settings, name) for name in Settings.model_fields}
    if settings.log_key is None:
        given["log_key"] = SecretStr(secrets.token_hex(32))
    # What was set by the operator stays known: a default that was never asked for is refused nowhere.
    return Settings.model_construct(_fields_set={*settings.model_fields_set, "log_key"}, **given)


def _drain(seconds: float) -> None:
    """Take the application away; its replicas answer first what they have."""
    log_event("stopping")
    serve.delete(NAME, _blocking=False)
    end = time.monotonic() + seconds + END_SECONDS
    while NAME in serve.status().applications and time.monotonic() < end:
        time.sleep(0.1)
    serve.shutdown()


def _stop(number: int, frame: object) -> None:
    raise _Stopped


def _on_signals(what: Any) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, what)
