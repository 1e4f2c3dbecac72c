"""The wheel and the sdist: built, installed into a clean environment, and every entry point run there."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import counterpoint
from counterpoint.cli import app

ROOT = Path(__file__).parents[1]


def run(*words: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    """Run a program that knows nothing of this checkout; return its output."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, env={**env, **environment}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the sdist, and the wheel that was built from it."""
    pytest.importorskip("build")
    out, backend = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("backend")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(backend), "hatchling>=1.27"]
    if subprocess.run(pip, capture_output=True, timeout=600).returncode != 0:
        pytest.skip("no package index at hand: hatchling, which builds, cannot be had")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, PYTHONPATH=str(backend))
    return out


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs of a clean environment with the wheel; what it depends on is borrowed from this one."""
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("clean") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel)
    (packages,) = folder.glob("lib/python*/site-packages")
    # A path that a .pth file adds is not searched for further .pth files: this checkout's editable install stays away.
    (packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "bin"


def commands(command: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    command = command or typer.main.get_command(app)
    yield words
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*words, name))


def names_of_sdist(built: Path) -> list[str]:
    """Return the files of the sdist, from the repository's root."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return [member.name.partition("/")[2] for member in archive if member.isfile()]


@pytest.mark.slow
def test_the_sdist_holds_what_builds_and_nothing_private(built: Path) -> None:
    names = names_of_sdist(built)
    assert {"pyproject.toml", "README.md", "LICENSE", "NOTICE", "src/counterpoint/mixing.py"} <= set(names)
    private = (".pem", ".key", ".env", ".tgz")
    assert not [name for name in names if name.endswith(private) or name.startswith(("training/", ".venv", "demo/"))]


@pytest.mark.slow
def test_the_wheel_holds_the_code_the_weights_and_the_notices(built: Path) -> None:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    assert {name.removeprefix("src/") for name in names_of_sdist(built) if name.startswith("src/")} <= names
    weights = {f"counterpoint/model/{part}/diffusion_pytorch_model.safetensors" for part in ("unet", "vae")}
    assert weights <= names
    assert {name.rpartition("/")[2] for name in names} >= {"LICENSE", "NOTICE", "METADATA", "py.typed"}
    assert not [name for name in names if name.startswith(("tests/", "docs/"))]


@pytest.mark.slow
def test_every_entry_point_runs_in_a_clean_environment(installed: Path, tmp_path: Path) -> None:
    place = run(installed / "python", "-c", "import counterpoint; print(counterpoint.__file__)", cwd=tmp_path)
    assert place.startswith(str(installed.parent)), "another installation was found"
    assert run(installed / "counterpoint", "--version", cwd=tmp_path).strip().endswith(counterpoint.__version__)
    every = list(commands())
    assert ("bench", "run") in every and len(every) > 8
    for words in every:
        assert "Usage" in run(installed / "counterpoint", *words, "--help", cwd=tmp_path), words
    assert "usage" in run(installed / "python", "-m", "counterpoint.demo", "--help", cwd=tmp_path).lower()


@pytest.mark.slow
def test_the_installed_model_draws(installed: Path, tmp_path: Path) -> None:
    run(installed / "counterpoint", "generate", "a cat on a beach", "--steps", "1", "--out", "cat.png", cwd=tmp_path)
    assert (tmp_path / "cat.png").stat().st_size > 100
