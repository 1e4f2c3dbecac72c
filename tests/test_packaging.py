"""The wheel and the sdist: built, installed into clean environments, and every entry point run there.

Those environments borrow what the package depends on, so whether all of it is declared is read from the imports.
"""

from __future__ import annotations

import ast
import os
import re
import socket
import subprocess
import sys
import sysconfig
import tarfile
import time
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer

import counterpoint
from counterpoint.cli import app

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
BROUGHT = {
    "c2pa-python": {"cryptography"},
    "diffusers": {"huggingface-hub"},
    "fastapi": {"pydantic", "starlette"},
    "gradio": {"fastapi", "uvicorn"},
    "jinja2": {"markupsafe"},
    "uvicorn": {"h11"},
}
"""What some distributions are made of or cannot be without: it is used here, too, and not declared once more."""
HOMES = {
    "counterpoint.bench": {"bench"},
    "counterpoint.bench.batching": {"bench", "serve"},
    "counterpoint.bench.marking": {"bench", "serve"},
    "counterpoint.bench.ray_executor": {"bench", "ray"},
    "counterpoint.bench.server": {"bench", "serve"},
    "counterpoint.server": {"serve"},
    "counterpoint.server.on_ray": {"serve", "ray"},
    "counterpoint.ui": {"ui"},
}
"""Modules and packages that are imported with these extras only; all others have to do without any."""


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
    folder = tmp_path_factory.mktemp("built")
    out, backend = folder / "dist", folder / "backend"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(backend), "build>=1.2", "hatchling>=1.27"]
    if subprocess.run(pip, capture_output=True, timeout=600).returncode != 0:
        pytest.skip("no package index at hand: what builds cannot be had")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, PYTHONPATH=str(backend))
    return out


@pytest.fixture(scope="module", params=["*.whl", "*.tar.gz"])
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Folder of the programs of a clean environment with the wheel, or the sdist; its dependencies are borrowed."""
    (package,) = built.glob(request.param)
    folder = tmp_path_factory.mktemp("clean") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps"]
    run(*pip, "--no-build-isolation", package, PYTHONPATH=str(built.with_name("backend")))
    (packages,) = folder.glob("lib/python*/site-packages")
    # A path that a .pth file adds is not searched for further .pth files: this checkout's editable install stays away.
    (packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "bin"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> dict[str, set[str]]:
    """Return the distributions by extra, with what they bring; those of the package itself under ""."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {"": project["dependencies"], **project["optional-dependencies"]}
    found = {}
    for extra, requirements in named.items():
        all_of = {normal(re.match(r"[\w.-]+", one).group()) for one in requirements}  # type: ignore[union-attr]
        while more := set().union(*(BROUGHT.get(one, set()) for one in all_of)) - all_of:
            all_of |= more
        found[extra] = all_of
    return found


def imports(node: ast.AST, is_lazy: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield all imported names below `node`, and whether they wait for a call or for a type checker."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, is_lazy) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module, is_lazy
            yield from ((f"{child.module}.{alias.name}", is_lazy) for alias in child.names)
        waits = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        waits = waits or (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING")
        yield from imports(child, is_lazy or waits)


def modules() -> dict[str, list[tuple[str, bool]]]:
    """Return the imports of every module of the package, by its name."""
    found = {}
    for path in (SOURCE / "counterpoint").rglob("*.py"):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        found[name] = list(imports(ast.parse(path.read_text(encoding="utf-8"))))
    return found


def loaded_with(name: str, every: dict[str, list[tuple[str, bool]]]) -> set[str]:
    """Return the modules of this package that importing one of them loads, with the packages around them."""
    found, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one in every and one not in found:
            found.add(one)
            waiting += [one.rpartition(".")[0], *(other for other, is_lazy in every[one] if not is_lazy)]
    return found


@cache
def providers() -> Mapping[str, list[str]]:
    """Return the distributions by what is imported; looked up once, as it takes seconds."""
    return metadata.packages_distributions()


def distributions(found: list[tuple[str, bool]], *, is_lazy: bool) -> set[str]:
    """Return who provides imports that wait, or those that do not; one that is not here is called as its import."""
    tops = {name.partition(".")[0] for name, waits in found if waits is is_lazy}
    tops -= {*sys.stdlib_module_names, "counterpoint"}
    return {normal(providers().get(top, [top])[0]) for top in tops}


def test_every_import_is_declared() -> None:
    every, by_extra = modules(), declared()
    of_any = set().union(*(found for extra, found in by_extra.items() if extra not in ("dev", "docs")))
    for name, found in every.items():
        undeclared = distributions(found, is_lazy=True) - of_any
        assert not undeclared, f"{name} imports {undeclared}, which pyproject.toml does not name"


def test_what_an_extra_brings_is_imported_with_that_extra_or_late() -> None:
    every, by_extra = modules(), declared()
    at_once = {name: distributions(found, is_lazy=False) for name, found in every.items()}
    for name in every:
        home = max((one for one in HOMES if f"{name}.".startswith(f"{one}.")), key=len, default="")
        allowed = set().union(*(by_extra[extra] for extra in {"", *HOMES.get(home, set())}))
        for other in loaded_with(name, every):
            assert at_once[other] <= allowed, f"{name} loads {other}, which imports {at_once[other] - allowed}"


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


@pytest.mark.slow
@pytest.mark.parametrize(("command", "path"), [("serve", "/livez"), ("ui", "/")])
def test_the_installed_servers_answer(installed: Path, tmp_path: Path, command: str, path: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COUNTERPOINT_"))}
    words = [str(installed / "counterpoint"), command, "--port", port]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(words, cwd=tmp_path, env=env, stdout=log, stderr=log)
    try:
        assert answers(f"http://127.0.0.1:{port}{path}", server), (tmp_path / "log").read_text()
    finally:
        server.terminate()
        assert server.wait(60) == 0


def answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    """Whether a server answers 200 within some minutes; it says no early where the process has ended."""
    until = time.monotonic() + 180
    plain = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < until and server.poll() is None:
        try:
            with plain.open(url, timeout=10) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    return False
