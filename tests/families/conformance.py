"""Run the claims of these tests, and write what came out into the table that `counterpoint families` prints.

    PYTHONPATH=src python tests/families/conformance.py

It stands with the tests because the claims do. Then `python scripts/families_table.py` renders the page.
"""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

import diffusers
import pytest

from counterpoint.families.conformance import PASSED, PATH

FOLDER = Path(__file__).parent


class Outcomes:
    """A plugin of pytest: what each claim came to, class by class."""

    def __init__(self) -> None:
        self._marks: dict[str, tuple[Any, str]] = {}
        self._outcomes: dict[str, str] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take note of the claims that are to be run."""
        for item in session.items:
            if isinstance(item, pytest.Function) and (mark := item.get_closest_marker("claim")) is not None:
                self._marks[item.nodeid] = mark, str(item.callspec.params["name"])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the outcome of a test, or of its setup and teardown where these did not pass."""
        if report.nodeid in self._marks and (report.when == "call" or not report.passed):
            self._outcomes[report.nodeid] = PASSED if report.passed else f"{report.outcome}: {_reason(report)}"

    def part(self, part: str) -> dict[str, dict[str, str]]:
        """Return the outcomes by title and class; of several runs of a class the first that did not pass counts."""
        found: dict[str, dict[str, str]] = {}
        for test, (mark, name) in self._marks.items():
            if mark.kwargs["part"] == part:
                of_classes = found.setdefault(mark.kwargs["title"], {})
                if of_classes.get(name, PASSED) == PASSED:
                    of_classes[name] = self._outcomes.get(test, "not run")
        return found


def _reason(report: pytest.TestReport) -> str:
    """Return why a test was skipped or failed, in one line."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(report.longrepr if crash is None else crash.message).partition("\n")[0]


def main() -> int:
    """Run, write; 0 where all passed."""
    outcomes = Outcomes()
    status = pytest.main([str(FOLDER), "-q", "-m", "claim", "-p", "no:cacheprovider"], plugins=[outcomes])
    record = {
        "command": "PYTHONPATH=src python tests/families/conformance.py",
        "date": datetime.date.today().isoformat(),
        "diffusers": diffusers.__version__,
        "claims": outcomes.part("claims"),
        "also": outcomes.part("also"),
    }
    PATH.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
