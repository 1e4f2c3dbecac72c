"""Browser tests may be skipped where there is no browser, but not where a run says that there is to be one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("required", "outcome"), [("1", "1 error"), ("", "1 skipped")])
def test_without_a_browser(tmp_path: Path, required: str, outcome: str) -> None:
    one = "tests/ui/test_page.py::test_the_dial_stops_at_the_operators_floor"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", one],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path), "REQUIRE_CHROMIUM": required},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert outcome in done.stdout.splitlines()[-1], done.stdout
    assert (done.returncode != 0) == (required == "1")


def test_the_checks_that_guard_a_change_ask_for_it() -> None:
    assert "export REQUIRE_CHROMIUM=1" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
