"""Who may open the page, what its answers carry, and the command that serves it."""

from __future__ import annotations

import io
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from typer.testing import CliRunner

import counterpoint
from counterpoint.cli import app
from counterpoint.server.config import Settings
from counterpoint.server.logs import JsonLines
from tests.ui.conftest import running

KEY = "a key of some length"
SOURCE = str(Path(counterpoint.__file__).parents[1])


def get(url: str, **options: Any) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=20, **options)


def test_only_loopback_names_are_answered_and_nothing_comes_from_elsewhere(tiny: Callable[[], Any]) -> None:
    with running(tiny()) as address:
        answer = get(address)
        assert answer.status_code == 200 and "counterpoint" in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "http" not in policy
        assert get(address, headers={"Host": "evil.example"}).status_code == 403
        for path in ("/docs", "/openapi.json", "/monitoring", "/gradio_api/file=/etc/hostname", "/gradio_api/runs"):
            assert get(f"{address}{path}").status_code == 404, path
        upload = httpx.post(f"{address}/gradio_api/upload", files={"files": b"x"}, trust_env=False)
        assert upload.status_code == 404
        assert not re.search(r'<(?:script|link)[^>]*(?:src|href)="https?://', answer.text)
        assert get(f"{address}/gradio_api/info").json()["named_endpoints"] == {}


def test_connections_are_bounded_as_the_servers_are(tiny: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("counterpoint.server.head_deadline.HEAD_SECONDS", 2.0)
    with running(tiny(), max_connections=1) as address:
        place = ("127.0.0.1", int(address.rpartition(":")[2]))
        with socket.create_connection(place, timeout=20) as idle:
            assert get(address).status_code == 503
            assert idle.recv(1) == b""  # without a head it is closed
        assert get(address).status_code == 200
        with socket.create_connection(place, timeout=20) as long:
            long.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 2**16)
            assert long.recv(12) == b"HTTP/1.1 400"


def test_with_keys_every_route_asks_for_one(tiny: Callable[[], Any]) -> None:
    with running(tiny(), api_keys=(KEY,)) as address:
        for path in ("/", "/config", "/gradio_api/info", "/gradio_api/queue/data?session_hash=x"):
            for auth in (None, ("anybody", "another key of that length")):
                answer = get(f"{address}{path}", auth=auth)
                assert answer.status_code == 401 and "Basic" in answer.headers["WWW-Authenticate"], path
        assert get(address, headers={"Authorization": "Basic !"}).status_code == 401
        assert get(address, auth=("anybody", KEY)).status_code == 200


def test_research_mode_stays_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERPOINT_API_KEYS", f'["{KEY}"]')
    result = CliRunner().invoke(app, ["ui", "--host", "0.0.0.0", "--research"])
    assert result.exit_code == 2 and "host: got '0.0.0.0'" in result.stderr


@pytest.mark.parametrize(
    ("field", "arguments"),
    [("min_safety", ["--min-safety", "extreme"]), ("port", ["--port", "-1"]), ("model", ["--model", "./no-such"])],
)
def test_wrong_arguments_exit_2_and_name_the_field(field: str, arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["ui", "--port", "0", *arguments])
    assert result.exit_code == 2 and field in result.stderr and "Traceback" not in result.stderr


def test_without_gradio_the_command_names_the_extra_and_all_else_works(tmp_path: Path) -> None:
    (tmp_path / "gradio.py").write_text("raise ModuleNotFoundError(\"No module named 'gradio'\", name='gradio')")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{SOURCE}"}

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)

    done = python("-m", "counterpoint.cli", "ui")
    assert done.returncode == 2
    assert "pip install 'counterpoint[ui]' (gradio is missing)" in done.stderr and "Traceback" not in done.stderr
    assert python("-c", "import counterpoint, counterpoint.cli; counterpoint.SafePipeline").returncode == 0


def test_gradio_is_told_to_keep_quiet_before_it_is_imported() -> None:
    code = (
        "import counterpoint.ui.page, gradio.analytics as analytics, huggingface_hub.constants as hub\n"
        "assert not analytics.analytics_enabled() and hub.HF_HUB_DISABLE_TELEMETRY\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GRADIO", "HF_"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "PYTHONPATH": SOURCE},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def test_the_settings_are_the_servers() -> None:
    page = (Path(__file__).parents[2] / "docs" / "web-page.md").read_text(encoding="utf-8")
    for name in re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE):
        assert name in Settings.model_fields, name


SECRET = "a secret that nobody may read"


@pytest.mark.parametrize(
    ("data", "event"),
    [
        ([SECRET, 0.5, SECRET, 0, "tiny", None], None),
        ([SECRET, 0.5, 2, SECRET, "tiny", None], None),
        ([SECRET, 0.5, 2, 0, SECRET, None], None),
        ([SECRET, SECRET, 2, 0, [SECRET], None], None),
        ([SECRET], None),
        ([{SECRET: SECRET}, 0.5, 2, 0, "tiny", None], {SECRET: SECRET}),
    ],
)
def test_nothing_that_a_visitor_sends_is_printed(
    tiny: Callable[[], Any],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    data: list[Any],
    event: Any,
) -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(JsonLines())
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    with running(tiny()) as address:
        handlers = next(one for one in get(f"{address}/config").json()["dependencies"] if len(one["inputs"]) == 6)
        body = {"data": data, "fn_index": handlers["id"], "session_hash": "one", "event_data": event}
        answer = httpx.post(f"{address}/gradio_api/queue/join", json=body, trust_env=False)
        is_flat = not any(isinstance(value, list | dict) for value in data)
        assert answer.status_code == (200 if is_flat else 400) and SECRET not in answer.text
        told = get(f"{address}/gradio_api/queue/data?session_hash=one").text if is_flat else '"success":true'
        assert "process_completed" in told or not is_flat
    printed = "".join([*capfd.readouterr(), log.getvalue()])
    assert SECRET not in printed and "Traceback" not in printed
    assert ('"page_failed"' in printed) == ('"success":false' in told.replace(" ", ""))


@pytest.mark.parametrize("event", [{"shot": -1}, {"shot": None}, {"shot": "1"}, {}, None, SECRET])
def test_a_choice_may_be_any_plain_value(tiny: Callable[[], Any], event: Any) -> None:
    with running(tiny()) as address:
        chosen = next(
            one for one in get(f"{address}/config").json()["dependencies"] if one["targets"][0][1] == "select"
        )
        body = {"data": [None], "fn_index": chosen["id"], "session_hash": "one", "event_data": event}
        httpx.post(f"{address}/gradio_api/queue/join", json=body, trust_env=False)
        told = get(f"{address}/gradio_api/queue/data?session_hash=one").text
        assert '"success":true' in told.replace(" ", "")
