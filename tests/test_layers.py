"""Imports run downwards only, never sideways between rooms of one layer."""

from __future__ import annotations

import ast
from pathlib import Path

import counterpoint

LAYERS: list[set[str]] = [
    {"interfaces"},
    {"mixing", "results", "normalise", "embedded", "pictures", "png", "sheet", "recognisers"},
    {"engines", "guider", "levels", "risk_weight", "text_space", "provenance", "calls"},
    {"embeddings", "detectors", "scenes", "families"},
    {"request", "safe_text", "options", "thresholds", "picture_detectors", "datasets"},
    {"metrics", "gate", "reports"},
    {"gate_settings", "output_check", "redraw"},
    {"pipeline", "training"},
    {"methods", "loading"},
    {"server"},
    {"ui"},
    {"bench"},
    {"cli"},
    {"demo"},
]
LEVEL = {unit: level for level, units in enumerate(LAYERS) for unit in units}
ROOT = Path(counterpoint.__file__).parent


def units_imported(path: Path) -> set[str]:
    """Return the units of this package that `path` imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("counterpoint.")}


def test_imports_point_downwards() -> None:
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        unit = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if unit == "__init__":
            continue
        assert unit in LEVEL, f"{unit} stands in no layer"
        for other in (units_imported(path) & LEVEL.keys()) - {unit}:
            if LEVEL[other] >= LEVEL[unit]:
                wrong.append(f"{path.relative_to(ROOT)} imports {other}")
    assert not wrong, "\n".join(wrong)


def test_no_pipeline_of_diffusers_is_subclassed() -> None:
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases = [ast.unparse(base) for base in node.bases]
                assert not any("Pipeline" in base for base in bases), f"{path.name}: {node.name}"
