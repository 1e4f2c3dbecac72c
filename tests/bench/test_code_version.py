"""The hash of the drawing code covers all that the methods import, and the weights that lie beside it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import counterpoint
from counterpoint.bench.code_version import is_room

ROOT = Path(counterpoint.__file__).parent


def modules_of(path: Path) -> Iterator[Path]:
    """The package's own files that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            place = ROOT.parent / name.replace(".", "/")
            if name.startswith("counterpoint.") and place.with_suffix(".py").is_file():
                yield place.with_suffix(".py")


def test_all_that_the_methods_import_decides_the_hash() -> None:
    waiting, found = sorted((ROOT / "methods").glob("*.py")), set[Path]()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += modules_of(path)
    assert len(found) > 50
    assert [str(path.relative_to(ROOT)) for path in sorted(found) if not is_room(path.relative_to(ROOT))] == []


def test_weights_and_thresholds_decide_the_hash_and_the_judge_does_not() -> None:
    for name in ("thresholds.json", "classifier_weights/model.safetensors", "sanitizer_weights/sanitizer.safetensors",
                 "recogniser_weights/checker/model.safetensors"):  # fmt: skip
        assert (ROOT / name).is_file() and is_room(Path(name)), name
    assert not is_room(Path("recogniser_weights/judge/model.safetensors"))
    assert not is_room(Path("families/conformance.json"))
    assert not is_room(Path("metrics/statistics.py")) and not is_room(Path("gateway.py"))
