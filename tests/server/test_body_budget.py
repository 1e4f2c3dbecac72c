"""All bodies together are bounded, and so are connections and the time of a request's head."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from counterpoint.interfaces import InvalidInput
from counterpoint.server import body_limit
from counterpoint.server.body_limit import BodyLimit
from counterpoint.server.config import load_settings
from tests.server.conftest import KEY, running, until

WAITS: Message = {"type": "wait"}
GONE: Message = {"type": "http.disconnect"}
HEAD = "POST /v1/images/generations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


def part(size: int, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": b"a" * size, "more_body": more}


async def ask(limit: BodyLimit, *messages: Message) -> list[Message]:
    """Send a request; `WAITS` sends nothing more."""
    rest, sent = list(messages), []

    async def receive() -> Message:
        if not rest or rest[0] is WAITS:
            await asyncio.sleep(60)
        return rest.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await limit({"type": "http", "path": "/"}, receive, send)
    return sent


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    if body.startswith(b"aaaaa"):
        raise RuntimeError("injected")
    await send({"type": "http.response.start", "status": 200, "headers": []})


def test_bodies_together_have_a_bound_and_what_waits_counts() -> None:
    async def run() -> None:
        limit = BodyLimit(echo, max_bytes=8, most_in_flight=10)
        slow = asyncio.create_task(ask(limit, part(7, more=True), WAITS))
        await asyncio.sleep(0)
        assert limit.in_flight == 7
        refused = await ask(limit, part(2, more=True), part(2))
        assert refused[0]["status"] == 503 and (b"retry-after", b"5") in refused[0]["headers"]
        assert b"bodies_full" in refused[1]["body"] and b"at most 10 bytes" in refused[1]["body"]
        assert (await ask(limit, part(3)))[0]["status"] == 200
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        assert limit.in_flight == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ([part(4)], 200), ([part(4, more=True), GONE], None), ([part(4, more=True), part(5)], 413),
        ([part(4, more=True), WAITS], 408),
    ],
)  # fmt: skip
def test_whatever_ends_a_request_frees_its_bytes(
    messages: list[Message], status: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_limit, "SLOWEST_SECONDS", 0.05)
    limit = BodyLimit(echo, max_bytes=8, most_in_flight=8)
    sent = asyncio.run(ask(limit, *messages))
    assert limit.in_flight == 0 and (sent[0]["status"] if sent else None) == status


def test_an_application_that_fails_frees_its_bytes() -> None:
    limit = BodyLimit(echo, max_bytes=8, most_in_flight=8)
    with pytest.raises(RuntimeError, match="injected"):
        asyncio.run(ask(limit, part(5)))
    assert limit.in_flight == 0


def test_a_running_server_refuses_bodies_beyond_the_bound(tiny: Callable[[str], Any]) -> None:
    with running(tiny, max_body_bytes=4096, max_bodies_bytes=4096) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as slow:
            slow.sendall(f"{HEAD}Content-Length: 4096\r\n\r\n".encode() + b" " * 4090)
            until(lambda: server.draw().status_code == 503)
            answer = server.draw()
            assert answer.json()["error"]["code"] == "bodies_full" and answer.headers["retry-after"] == "5"
        until(lambda: server.draw().status_code == 200)


def test_strangers_hold_no_bytes_and_are_not_waited_for(tiny: Callable[[str], Any]) -> None:
    head = "GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4096\r\n\r\n"
    with running(tiny, api_keys=(KEY,), max_body_bytes=4096, max_bodies_bytes=4096) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as stranger:
            stranger.sendall(head.encode() + b" " * 4090)
            assert stranger.recv(12) == b"HTTP/1.1 200"  # though the body is not whole
            assert server.draw().status_code == 200
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as stranger:
            stranger.sendall(head.encode() + b" " * 4096 + b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            until(lambda: server.log.getvalue().count('"/livez"') == 3)  # the next request is understood


def test_the_bound_has_room_for_one_body() -> None:
    with pytest.raises(InvalidInput, match=r"max_bodies_bytes.*from 4096, max_body_bytes"):
        load_settings(max_body_bytes=4096, max_bodies_bytes=4095)


def test_connections_have_a_bound(tiny: Callable[[str], Any]) -> None:
    with running(tiny, max_connections=2) as server:
        with socket.create_connection(("127.0.0.1", server.port)):
            assert server.get("/livez").status_code == 200
            with socket.create_connection(("127.0.0.1", server.port)):
                until(lambda: server.get("/livez").status_code == 503)
        until(lambda: server.get("/livez").status_code == 200)


def test_a_head_that_does_not_come_ends_the_connection_and_a_slow_body_does_not(
    tiny: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("counterpoint.server.head_deadline.HEAD_SECONDS", 0.3)
    with running(tiny) as server:
        for begun in (b"", b"GET /livez HTTP/1.1\r\nHost:"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as idle:
                idle.sendall(begun)
                assert idle.recv(1) == b""
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as idle:  # what nobody reads any more
            idle.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n")
            assert idle.recv(12) == b"HTTP/1.1 200"
            idle.sendall(b"a")
            while idle.recv(1024):
                pass
        body = b'{"prompt": "a dog", "num_inference_steps": 1}'
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as slow:
            slow.sendall(f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode())
            time.sleep(0.6)
            slow.sendall(body)
            assert slow.recv(12) == b"HTTP/1.1 200"
        with httpx.Client(trust_env=False) as client:  # an idle connection that has been used
            assert client.get(f"{server.url}/livez").status_code == 200
            time.sleep(0.6)
            assert client.get(f"{server.url}/livez").status_code == 200
