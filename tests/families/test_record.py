"""The table of families is what the claims came to: it names these classes and claims, and nothing else."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest
from claims import CLASSES
from conformance import Outcomes

from counterpoint.families.conformance import PASSED, Conformance, conformance

FOLDER = Path(__file__).parent


def claims_of_the_tests(part: str) -> dict[str, set[str]]:
    """Return the classes that each claim is about, by title; several tests may have one title."""
    modules = [
        import_module(path.stem) for path in sorted(FOLDER.glob("test_*.py")) if path.stem != Path(__file__).stem
    ]
    marks = [mark for module in modules for test in vars(module).values() for mark in getattr(test, "pytestmark", ())]
    found: dict[str, set[str]] = {}
    for mark in marks:
        if mark.name == "claim" and mark.kwargs["part"] == part:
            found.setdefault(mark.kwargs["title"], set()).update(mark.kwargs["classes"])
    return found


@pytest.mark.parametrize("part", ["claims", "also"])
def test_the_committed_table_names_these_classes_and_claims_and_all_passed(part: str) -> None:
    """`PYTHONPATH=src python tests/families/conformance.py` writes it anew."""
    recorded = getattr(conformance(), part)
    assert {title: set(outcomes) for title, outcomes in recorded.items()} == claims_of_the_tests(part)
    wrong = {
        (title, name): outcome
        for title, outcomes in recorded.items()
        for name, outcome in outcomes.items()
        if outcome != PASSED
    }
    assert not wrong


def test_every_supported_class_has_every_claim() -> None:
    assert len(conformance().claims) >= 10
    assert all(set(outcomes) == set(CLASSES) for outcomes in conformance().claims.values())


def test_what_fails_is_skipped_or_is_not_run_is_told_with_its_reason(tmp_path: Path) -> None:
    test = """
        import pytest
        from claims import also

        @pytest.mark.parametrize("second", [False, True])
        @also("outcome", "good", "bad", "left out", "broken", "stopped")
        def test_outcome(name, second, request):
            if second and name == "bad":
                raise ValueError("wrong picture\\nand more")
            if name == "left out":
                pytest.skip("no such part")
            if name == "broken":
                request.addfinalizer(lambda: 1 / 0)
            if name == "stopped":
                pytest.exit("out of time")
        """
    (tmp_path / "test_outcome.py").write_text(dedent(test))
    outcomes = Outcomes()
    pytest.main(["-q", "-p", "no:cacheprovider", "-c", "/dev/null", str(tmp_path)], plugins=[outcomes])
    assert outcomes.part("claims") == {}
    assert outcomes.part("also") == {
        "outcome": {
            "good": "passed",
            "bad": "failed: ValueError: wrong picture",
            "left out": "skipped: no such part",
            "broken": "failed: ZeroDivisionError: division by zero",
            "stopped": "not run",
        }
    }


def test_a_class_that_does_not_pass_is_not_said_to() -> None:
    record = Conformance(
        date="2026-01-31",
        diffusers="0",
        claims={"plain": {"A": PASSED, "B": "failed: why"}, "full": {"A": PASSED}},
        also={"a LoRA": {"A": PASSED, "B": "skipped: no peft"}},
    )
    assert (record.verdict("A"), record.ways("A"), record.passes("A")) == ("2 of 2 claims", "a LoRA", True)
    assert record.verdict("B") == "0 of 2 claims; plain: failed: why; full: not run"
    assert record.ways("B") == "a LoRA (skipped: no peft)" and not record.passes("B")
    assert record.verdict("C").startswith("0 of 2 claims") and record.ways("C") == "" and not record.passes("C")
