"""What `pip install counterpoint` brings along asks for nothing but that its notices are kept."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PERMISSIVE = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "CNRI-Python", "ISC", "MIT", "MIT-CMU", "PSF-2.0", "Zlib",
}  # fmt: skip
SPELLINGS = {
    "Apache Software License": "Apache-2.0", "Apache 2.0 License": "Apache-2.0", "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause", "ISC License (ISCL)": "ISC", "MIT License": "MIT",
}  # fmt: skip
"""How packages write it that do not use SPDX expressions."""
BY_FILE = {"certifi": "MPL-2.0", "tqdm": "MPL-2.0"}
"""Copyleft by file: only changes to their own files would have to be published, and nothing here changes them."""
VENDORS = re.compile(r"nvidia-|cuda-")
"""Libraries that torch's builds for NVIDIA's cards bring along under their vendor's licence; the CPU build has none."""


def base_install() -> dict[str, Distribution]:
    """Return all that the package needs without an extra, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    todo = [Requirement(text) for text in project["dependencies"]]
    found: dict[str, Distribution] = {}
    while todo:
        requirement = todo.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found[name] = distribution(name)
        todo += [Requirement(text) for text in found[name].requires or ()]
    return found


def licences(package: Distribution) -> set[str]:
    """Return the licences of a package that all have to be kept; of "A OR B" the permissive one."""
    metadata = package.metadata
    named = metadata.get("License-Expression")
    if named is None:
        classes = [line.rpartition("::")[2].strip() for line in metadata.get_all("Classifier", [])
                   if line.startswith("License ::")]  # fmt: skip
        named = " AND ".join(classes) or (metadata.get("License") or "").strip().partition("\n")[0]
    parts = re.sub(r"[()]", "", named).split(" AND ") if " OR " in named or " AND " in named else [named]
    kept = set()
    for part in parts:
        choices = {SPELLINGS.get(choice.strip(), choice.strip()) for choice in part.split(" OR ")}
        kept.add(min(choices & PERMISSIVE, default=" OR ".join(sorted(choices))))
    return kept


def test_the_base_install_is_permissive() -> None:
    packages = base_install()
    assert {"torch", "diffusers", "transformers"} <= packages.keys() and len(packages) > 20
    wrong = {
        name: sorted(licences(package) - PERMISSIVE)
        for name, package in packages.items()
        if not VENDORS.match(name) and name not in BY_FILE and licences(package) - PERMISSIVE
    }
    assert not wrong


def test_the_two_that_are_copyleft_by_file_are_still_so() -> None:
    packages = base_install()
    for name, licence in BY_FILE.items():
        metadata = packages[name].metadata
        told = " ".join([metadata.get("License") or "", metadata.get("License-Expression") or ""])
        assert licence in told, f"{name} says {told!r} now"


def test_extras_with_other_licences_stand_apart_and_say_so() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (line,) = re.findall(r"^nudenet = .*$", text, flags=re.MULTILINE)
    assert "AGPL-3.0" in line
    dev = tomllib.loads(text)["project"]["optional-dependencies"]["dev"]
    assert not any("nudenet" in requirement for requirement in dev)
