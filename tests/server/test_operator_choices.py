"""The operator's gate, weights and certificate reach the pipeline and the files."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from counterpoint.detectors.prompt_classifier import PromptClassifier
from counterpoint.engines.local_weight import LocalWeight
from counterpoint.gate_settings import GateSettings, fit_gate
from counterpoint.interfaces import InvalidInput
from counterpoint.pipeline import SafePipeline
from counterpoint.provenance.inspection import inspect_file
from counterpoint.risk_weight import RiskWeight
from counterpoint.server.config import Settings, load_settings
from counterpoint.server.loading import wrap
from tests.provenance.certificates import SIGNER, write_credentials
from tests.server.conftest import MILD, running


@pytest.fixture
def gate(tiny: Callable[[str], Any]) -> GateSettings:
    safe = SafePipeline(tiny("tiny"))
    unsafe, benign = ["a knife", "a man with a knife"], ["a flower", "a dog on a meadow"]
    return fit_gate(safe.text, unsafe, benign, extra_concepts={"music": ["guitar"]}, max_false_alarms=0.5)


def test_gate_and_weights_are_the_operators(tiny: Callable[[str], Any], gate: GateSettings, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**gate.to_json(), "encoder": "another"}))
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps(gate.to_json()))
    settings = load_settings(
        gates=[str(other), str(mine)], risk={"floor": 0.3}, local={"threshold": 0.5, "smooth": 1}, reuse=2
    )
    safe = wrap(tiny("tiny"), settings)
    assert safe.risk == RiskWeight(floor=0.3) and safe.local == LocalWeight(threshold=0.5, smooth=1)
    assert safe.reuse == 2
    assert "music" in safe.detector([MILD])[0].categories
    assert "music" not in wrap(tiny("tiny"), Settings()).detector([MILD])[0].categories
    for given in (dict(gate_point="steer"), dict(gate_point="steer", gates=[str(mine)])):
        members = wrap(tiny("tiny"), load_settings(**given)).detector.detectors  # type: ignore[attr-defined]
        assert [one.point for one in members if isinstance(one, PromptClassifier)] == ["steer"]
    with pytest.raises(InvalidInput, match="gate"):  # it was fitted to another encoder: the model does not start
        wrap(tiny("tiny"), load_settings(gates=[str(other)]))
    with pytest.raises(InvalidInput, match="gates"):
        load_settings(gates=[str(tmp_path / "missing.json")])


def test_what_happens_to_unsafe_pictures_needs_somebody_who_looks(tiny: Callable[[str], Any]) -> None:
    with pytest.raises(InvalidInput, match=r"on_unsafe: got 'block'.*picture_detectors"):
        wrap(tiny("tiny"), load_settings(on_unsafe="block"))
    looked = wrap(tiny("tiny"), load_settings(on_unsafe="block", picture_detectors=["scenes_checker"]))
    assert looked.on_unsafe == "block" and len(looked.picture_detectors) == 1
    assert not wrap(tiny("tiny"), load_settings()).picture_detectors


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("risk.floor", {"risk": {"floor": 0}}), ("risk", {"risk": {"flor": 0.5}}), ("risk", {"risk": 1}),
        ("local.smooth", {"local": {"smooth": 2}}), ("reuse", {"reuse": 0}), ("c2pa_key", {"c2pa_certificate": "a"}),
    ],
)  # fmt: skip
def test_wrong_choices_are_named(field: str, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as wrong:
        load_settings(**given)
    assert wrong.value.field == field


def test_a_file_may_hold_tables(tmp_path: Path) -> None:
    (tmp_path / "server.toml").write_text("reuse = 2\n[risk]\nfloor = 0.4\n[local]\nthreshold = 0.0\n")
    settings = load_settings(tmp_path / "server.toml")
    assert settings.risk == RiskWeight(floor=0.4) and settings.local == LocalWeight(threshold=0.0)


def test_pictures_are_signed_with_the_operators_certificate(tiny: Callable[[str], Any], tmp_path: Path) -> None:
    certificate, key = write_credentials(tmp_path)
    with running(tiny, c2pa_certificate=certificate, c2pa_key=key) as server:
        entry = server.draw(MILD).json()["data"][0]
    (tmp_path / "a.png").write_bytes(base64.b64decode(entry["b64_json"]))
    found = inspect_file(tmp_path / "a.png")
    assert found.manifest is not None and found.manifest.is_whole and found.manifest.signer == SIGNER
