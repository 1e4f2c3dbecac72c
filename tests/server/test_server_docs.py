"""What docs/server.md shows is run, on the tiny model."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from counterpoint.gate_settings import fit_gate
from counterpoint.pipeline import SafePipeline
from counterpoint.server.config import load_settings
from counterpoint.server.errors import ApiError
from counterpoint.server.moderation import COUNTERPARTS, OPENAI_CATEGORIES
from tests.server.conftest import running
from tests.server.test_faults import Looker, wrap_with

PAGE = (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_examples_run(tiny: Callable[[str], Any]) -> None:
    (command,) = (block for block in blocks("bash") if block.startswith("curl"))
    (code,) = blocks("python")
    (safety,) = blocks("json")
    with running(tiny, steps=2, min_safety=0.5, wrap=wrap_with(Looker())) as server:
        if shutil.which("curl") is None:
            pytest.skip("no curl on this machine")
        done = subprocess.run(
            ["bash", "-c", command.replace(ADDRESS, server.url)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["data"][0]["safety"]["action"] == "steered"
        names: dict[str, Any] = {}
        exec(compile(code.replace(ADDRESS, server.url), "docs/server.md", "exec"), names)
        assert names["answer"].data[0].safety["action"] == "steered"
        assert server.draw("a dog in a forest", **json.loads(safety)).status_code == 200


def test_the_example_of_edits_and_events_runs(
    tiny: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.effect_noise((32, 32), 60).convert("RGB").save("room.png")
    (code,) = blocks("py")
    with running(tiny, steps=8, wrap=wrap_with(Looker())) as server:
        names: dict[str, Any] = {"client": server.client()}
        exec(compile(code, "docs/server.md", "exec"), names)
    assert names["edited"].data[0].safety["action"] == "steered"
    assert names["event"].type == "image_generation.completed"


def test_the_settings_files_are_valid(
    tmp_path: Path, tiny: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gate = fit_gate(SafePipeline(tiny("tiny")).text, ["a knife"], ["a flower"], max_false_alarms=0.5)
    Path("gate.json").write_text(json.dumps(gate.to_json()))
    for example in blocks("toml"):
        (tmp_path / "server.toml").write_text(example.replace("CHANGE ME", "a key of your own"))
        assert load_settings(tmp_path / "server.toml").min_safety == 0.5
    assert len(blocks("toml")) == 2


def test_all_error_codes_and_categories_are_documented() -> None:
    source = Path(__file__).parents[2] / "src" / "counterpoint" / "server"
    codes = set()
    for file in source.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        codes |= set(re.findall(rf'{ApiError.__name__}\(\s*\d+, "(\w+)"', text))
        codes |= set(re.findall(r'unavailable\("(\w+)"', text))
    assert {"queue_full", "moderation_blocked", "body_too_large"} <= codes
    assert not [code for code in codes if f"`{code}`" not in PAGE]
    for ours, theirs in COUNTERPARTS.items():
        assert re.search(rf"\|.*{ours}.*\| {theirs} \|", PAGE), ours
    (never,) = re.findall(r"^\| none \| (.*?) \|", PAGE, flags=re.MULTILINE)
    assert set(never.split(", ")) == set(OPENAI_CATEGORIES) - set(COUNTERPARTS.values())
