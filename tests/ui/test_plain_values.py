"""What Gradio would take for a file is refused: nothing is fetched, read or waited for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio.processing_utils
import httpx2 as httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from counterpoint.ui.plain_values import PlainValues
from tests.ui.conftest import MILD, running

FIELDS = [MILD, 0.5, 2, 0, "tiny", None]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that Gradio copies files into."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that Gradio asked; none is really asked."""
    asked: list[str] = []

    async def ask(url: str) -> Any:
        asked.append(url)
        raise OSError("nobody is asked here")

    monkeypatch.setattr(gradio.processing_utils, "async_ssrf_protected_get", ask)
    return asked


@pytest.fixture
def address(tiny: Callable[[], Any], cache: Path, fetched: list[str]) -> Iterator[str]:
    with running(tiny()) as one:
        yield one


def file_at(path: str) -> dict[str, Any]:
    """What Gradio's browser code sends for an uploaded file."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def drawing(address: str) -> int:
    """Return the number of what the page calls to draw."""
    handlers = httpx.get(f"{address}/config", trust_env=False, timeout=20).json()["dependencies"]
    return next(int(one["id"]) for one in handlers if len(one["inputs"]) == len(FIELDS))


def join(address: str, number: int, data: list[Any]) -> int:
    """Put a drawing into the queue, wait for it if it is taken, and return the status."""
    body = {"data": data, "fn_index": number, "session_hash": "one"}
    answer = httpx.post(f"{address}/gradio_api/queue/join", json=body, trust_env=False, timeout=20)
    if answer.status_code == 200:
        httpx.get(f"{address}/gradio_api/queue/data?session_hash=one", trust_env=False, timeout=20)
    return answer.status_code


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_no_address_is_fetched_and_no_file_is_copied(
    address: str, cache: Path, fetched: list[str], tmp_path: Path
) -> None:
    secret, number, statuses = tmp_path / "secret.txt", drawing(address), []
    secret.write_text("a secret")
    for path in ("https://example.com/picture.png", str(secret)):
        for value in (file_at(path), [file_at(path)], {"a": [file_at(path)]}):
            for place in (0, len(FIELDS) - 1):  # a text's, and the session's
                statuses.append(join(address, number, [*FIELDS[:place], value, *FIELDS[place + 1 :]]))
    assert fetched == [] and files_in(cache) == []
    assert set(statuses) == {400}
    assert join(address, number, FIELDS) == 200  # what the page sends is taken


def test_a_pipe_holds_nothing_up(address: str, tmp_path: Path) -> None:
    pipe, number = tmp_path / "pipe", drawing(address)
    os.mkfifo(pipe)
    try:
        assert join(address, number, [file_at(str(pipe)), *FIELDS[1:]]) == 400
        assert httpx.get(address, trust_env=False, timeout=5).status_code == 200
    finally:
        with contextlib.suppress(OSError):  # nobody reads: as it should be
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))


def test_files_are_not_taken_and_no_other_way_leads_to_the_queue(address: str, cache: Path) -> None:
    upload = httpx.post(f"{address}/gradio_api/upload", files={"files": b"x"}, trust_env=False)
    assert upload.status_code == 404
    for path in ("run/predict", "api/predict", "call/predict", "call/v2/predict", "component_server", "stream/one"):
        answer = httpx.post(f"{address}/gradio_api/{path}", json={"data": [file_at("/etc/hostname")]}, trust_env=False)
        assert answer.status_code == 404, path
    for path in ("queue/../upload", "queue/%2e%2e/upload", "queue//upload"):
        answer = httpx.post(f"{address}/gradio_api/{path}", files={"files": b"x"}, trust_env=False)
        assert answer.status_code in (400, 404), path
    assert files_in(cache) == []


def asked(body: bytes, method: str = "POST", more_body: bool = False) -> tuple[int, bytes | None]:
    """Return the status for a body, and what reached the app behind the stop."""
    reached: list[bytes] = []
    statuses: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": more_body}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    call = PlainValues(app)({"type": "http", "method": method, "headers": []}, receive, send)
    with ThreadPoolExecutor(1) as other:  # the tests in a browser leave a loop running in this thread
        other.submit(asyncio.run, call).result()
    return statuses[0], (reached or [None])[0]  # type: ignore[list-item]


@pytest.mark.parametrize(
    "fields",
    [
        {"data": FIELDS, "fn_index": 0, "trigger_id": 5, "session_hash": "one"},
        {"data": [], "event_data": {}},
        {"data": [None], "event_data": {"shot": 5}},
        {"data": [True, -1, 0.5, "{}"], "event_data": None},
        {"session_hash": "one", "fn_index": 0, "event_id": "two"},
    ],
)
def test_what_the_page_sends_passes_as_it_is(fields: dict[str, Any]) -> None:
    status, reached = asked(json.dumps(fields).encode())
    assert status == 200 and reached is not None and json.loads(reached) == fields


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no json", b"\xff\xfe\x00", b"[1]", b'"text"', b"null", b'{"data": {"path": "x"}}', b'{"data": "x"}',
        b'{"data": null}', b'{"data": [[1]]}', b'{"data": [{}]}', b'{"data": [], "event_data": {"path": {"a": 1}}}',
        b'{"data": [], "event_data": [1]}', b'{"data": [], "request": {"path": "x"}}', b'{"event_id": ["x"]}',
        b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)  # fmt: skip
def test_anything_else_is_refused(body: bytes) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert asked(body, method) == (400, None)


def test_a_body_is_read_one_way_only() -> None:
    """A name that is given twice has one value, for the stop and for Gradio: the one that was looked at."""
    assert asked(b'{"data": [{"path": "x"}], "data": ["y"]}') == (200, b'{"data": ["y"]}')
    assert asked(b'{"data": ["y"], "data": [{"path": "x"}]}') == (400, None)
    assert asked(b'{"data": [', more_body=True) == (400, None)


def test_a_long_body_is_refused(tiny: Callable[[], Any]) -> None:
    with running(tiny(), max_body_bytes=2048) as address:
        number = drawing(address)
        assert join(address, number, FIELDS) == 200
        assert join(address, number, ["x" * 4096, *FIELDS[1:]]) == 413
