"""Every route but /livez asks for a key; without keys only this machine is answered."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from fastapi.routing import APIRoute
from typer.testing import CliRunner

from counterpoint.cli import app as cli
from counterpoint.interfaces import InvalidInput
from counterpoint.server.app import create_app
from counterpoint.server.config import Settings, config_table, load_settings
from counterpoint.server.service import Service
from tests.server.conftest import KEY, Running, running


@pytest.fixture(scope="module")
def routes(server: Running) -> list[tuple[str, str]]:
    """All routes of the application, by method and path, and two that do not exist."""
    found = [
        (method, route.path)
        for route in _leaves(create_app(Service(server.service.settings)).routes)
        for method in route.methods
    ]
    assert ("POST", "/v1/images/generations") in found and len(found) >= 8
    return [*found, ("GET", "/nothing"), ("GET", "//livez")]


def _leaves(routes: Any) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        yield from _leaves(getattr(getattr(route, "original_router", None), "routes", []))


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Authorization": "Bearer"}, {"Authorization": "Bearer wrong"}, {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"}, {"Authorization": f"Bearer {KEY}x"}, {"Authorization": f"Bearer {KEY[:-1]}"},
        {"api-key": KEY}, {"x-api-key": "wrong"}, {"x-api-key": ""}, {"x-api-key": f"Bearer {KEY}"},
        {"x-api-key": KEY, "Authorization": "Bearer wrong"}, {"x-api-key": KEY, "Authorization": f"Basic {KEY}"},
        {"Host": "livez", "Authorization": "Bearer wrong"}, {"Host": "127.0.0.1/livez?"},
    ],
)  # fmt: skip
def test_every_route_but_livez_asks_for_a_key(
    server: Running, routes: list[tuple[str, str]], headers: dict[str, str]
) -> None:
    for method, path in routes:
        answer = httpx.request(method, f"{server.url}{path}", headers=headers, trust_env=False)
        if path == "/livez":
            assert answer.status_code == 200
        else:
            assert answer.status_code == 401, (method, path)
            assert method == "HEAD" or answer.json()["error"]["code"] == "invalid_api_key"


def test_the_key_opens_as_litellm_sends_it(server: Running) -> None:
    assert server.get("/version", headers={"X-API-Key": KEY}).status_code == 200


def test_balancers_may_probe_by_head(server: Running) -> None:
    for path, status in {"/livez": 200, "/readyz": 200, "/version": 405}.items():
        answer = httpx.head(f"{server.url}{path}", headers={"Authorization": f"Bearer {KEY}"}, trust_env=False)
        assert answer.status_code == status and answer.content == b""


def test_the_key_opens(server: Running) -> None:
    for path in ("/readyz", "/version", "/metrics", "/v1/models"):
        assert server.get(path).status_code == 200
    assert "version" in server.get("/version").json()


def test_no_browser_page_gets_in(tiny: Callable[[str], Any]) -> None:
    with running(tiny) as server:
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", ""):
            assert server.get("/version", headers={"Host": host}).status_code == 403
        for host in ("localhost", "127.0.0.1:1", "[::1]:80"):
            assert server.get("/version", headers={"Host": host}).status_code == 200
        ask = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        preflight = httpx.request("OPTIONS", f"{server.url}/v1/images/generations", headers=ask, trust_env=False)
        assert preflight.status_code == 405 and "access-control-allow-origin" not in preflight.headers


def test_it_does_not_listen_to_others_without_keys() -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        with pytest.raises(InvalidInput, match="host"):
            load_settings(host=host)
        assert load_settings(host=host, api_keys=[KEY]).host == host


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("min_safety", {"min_safety": 1.5}), ("min_safety", {"min_safety": "none"}), ("safety", {"safety": 0.1}),
        ("api_keys", {"api_keys": ["short"]}), ("on_unsafe", {"on_unsafe": "ask"}), ("port", {"port": 70000}),
        ("steps", {"steps": 200}), ("models", {"models": {}}), ("min_safty", {"min_safty": 1.0}),
        ("max_queue", {"max_queue": 0}), ("picture_detectors.0", {"picture_detectors": ["none"]}),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(field: str, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as wrong:
        load_settings(**given)
    assert wrong.value.field == field


def test_file_environment_and_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "server.toml"
    file.write_text('min_safety = "high"\nsafety = 0.8\nport = 1\nmax_n = 2\n[models]\nmine = "/models/mine"\n')
    monkeypatch.setenv("COUNTERPOINT_PORT", "2")
    monkeypatch.setenv("COUNTERPOINT_MAX_N", "3")
    settings = load_settings(file, max_n=4)
    assert (settings.min_safety, settings.safety, settings.port, settings.max_n) == (0.75, 0.8, 2, 4)
    assert settings.models == {"mine": "/models/mine"}
    monkeypatch.setenv("COUNTERPOINT_MIN_SAFTY", "1")
    with pytest.raises(InvalidInput, match="COUNTERPOINT_MIN_SAFTY"):
        load_settings(file)


LINKS = {
    "COUNTERPOINT_SERVICE_HOST": "10.0.0.1", "COUNTERPOINT_SERVICE_PORT": "8000",
    "COUNTERPOINT_SERVICE_PORT_HTTP": "8000", "COUNTERPOINT_PORT": "tcp://10.0.0.1:8000",
    "COUNTERPOINT_PORT_8000_TCP": "tcp://10.0.0.1:8000", "COUNTERPOINT_PORT_8000_TCP_PROTO": "tcp",
    "COUNTERPOINT_PORT_8000_TCP_PORT": "8000", "COUNTERPOINT_PORT_8000_TCP_ADDR": "10.0.0.1",
}  # fmt: skip
"""What Kubernetes sets beside a Service named counterpoint."""


def test_what_kubernetes_sets_is_no_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LINKS.items():
        monkeypatch.setenv(name, value)
    assert load_settings().port == 8000
    (tmp_path / "server.toml").write_text("port = 7")
    assert load_settings(tmp_path / "server.toml").port == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COUNTERPOINT_SERVICE_HOSTS", "10.0.0.1"), ("COUNTERPOINT_SERVICE", "1"), ("COUNTERPOINT_PORT_TCP", "1"),
        ("COUNTERPOINT_PORT_8000", "1"), ("COUNTERPOINT_PORT_8000_TCP_HOST", "1"), ("COUNTERPOINT_PORTS", "1"),
        ("COUNTERPOINT_PORT", "http://10.0.0.1:8000"), ("COUNTERPOINT_PORT", "eight"),
    ],
)  # fmt: skip
def test_what_only_looks_like_kubernetes_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput):
        load_settings()


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("port = ")
    (tmp_path / "unknown.toml").write_text("min_safty = 1.0")
    for name, field in (("broken.toml", "config"), ("missing.toml", "config"), ("unknown.toml", "min_safty")):
        with pytest.raises(InvalidInput) as wrong:
            load_settings(tmp_path / name)
        assert wrong.value.field == field


def test_the_documentation_has_the_table_of_settings() -> None:
    page = (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8")
    assert config_table() in page
    assert all(f"`{name}`" in config_table() for name in Settings.model_fields)


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("host", ["--host", "0.0.0.0"]), ("min_safety", ["--min-safety", "1.5"]), ("port", ["--port", "70000"]),
        ("config", ["--config", "missing.toml"]),
    ],
)  # fmt: skip
def test_the_command_refuses_wrong_settings(field: str, arguments: list[str]) -> None:
    result = CliRunner().invoke(cli, ["serve", *arguments])
    assert result.exit_code == 2 and result.stderr.startswith(f"counterpoint: {field}: got")
    assert result.stderr.count("\n") == 1


def test_the_commands_help_shows_an_example() -> None:
    assert "counterpoint serve --config server.toml" in CliRunner().invoke(cli, ["serve", "--help"]).stdout


def test_a_floor_alone_lifts_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERPOINT_MIN_SAFETY", "high")
    assert load_settings().safety == load_settings().min_safety == 0.75
    assert load_settings(min_safety=0.1).safety == 0.5
    with pytest.raises(InvalidInput, match="safety"):
        load_settings(safety=0.5)


@pytest.mark.parametrize("limit", ["max_queue", "max_per_key"])
def test_what_can_never_be_accepted_is_not_allowed(limit: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        load_settings(**{limit: 3}, max_n=4)
    assert wrong.value.field == "max_n" and wrong.value.allowed.startswith("1..3")
    assert load_settings(**{limit: 3}, max_n=3).max_n == load_settings(**{limit: 3}).max_n == 3
    assert load_settings().max_n == 10


def test_the_key_of_the_documentation_opens_nothing() -> None:
    (example,) = re.findall(
        r"```toml\n(api_keys.*?)```", (Path(__file__).parents[2] / "docs" / "server.md").read_text(), flags=re.DOTALL
    )
    with pytest.raises(InvalidInput, match="api_keys"):
        load_settings(**{**tomllib.loads(example), "picture_detectors": []})
