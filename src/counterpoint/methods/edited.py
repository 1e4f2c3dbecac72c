"""What the methods share that edit weights: they edit a copy, and the copy draws.

A pipeline of the same class is built around the edited part; every other part is the guarded pipeline's own, read
only, but for the scheduler, which has state. Edited weights can be kept in a folder, with the recipe that made them;
a file that a crash or the disk has damaged counts as missing, and the weights are made again.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import Module

from counterpoint.interfaces import InvalidInput
from counterpoint.methods.drawing import check_call, draw
from counterpoint.methods.method import MethodPicture

Part = Literal["unet", "text_encoder"]
ROOM = "counterpoint.methods."
Weights = dict[str, Tensor]
"""Edited weights by their name in the part; those that were not edited are absent."""
_MAY_MAKE = ContextVar("_MAY_MAKE", default=True)


class NotMade(Exception):
    """Weights are not kept, and were not to be made."""


@contextmanager
def making_nothing() -> Iterator[None]:
    """Within it, `NotMade` is raised in place of hours of training."""
    token = _MAY_MAKE.set(False)
    try:
        yield
    finally:
        _MAY_MAKE.reset(token)


class EditedModel:
    """Draw with a copy of the model, a part of which has other weights.

    Args:
        pipe: The pipeline to copy; it is read, never changed.
        part: Which part was edited.
        weights: Its edited weights.
        recipe: The method's name and settings.

    Raises:
        InvalidInput: The weights belong to another model.
    """

    def __init__(self, pipe: Any, part: Part, weights: Weights, recipe: Mapping[str, Any]) -> None:
        edited = copy_of(getattr(pipe, part))
        unknown = edited.load_state_dict(weights, strict=False).unexpected_keys
        if unknown:
            raise InvalidInput("weights", unknown[0], f"weights of this {part}")
        self.pipe = pipeline_with(pipe, **{part: edited})
        self._recipe = {**recipe, "edited": part, "sha256": sha256_of(weights)}

    def __call__(
        self, prompts: Sequence[str], *, generators: Sequence[torch.Generator], **call: Any
    ) -> list[MethodPicture]:
        """Draw; see `Method`."""
        return draw(self.pipe, prompts, generators, check_call(self.pipe, prompts, generators, call))

    def recipe(self) -> dict[str, Any]:
        """Settings, and the SHA-256 of the edited weights."""
        return dict(self._recipe)


def copy_of(module: Module) -> Module:
    """Return a deep copy that trains nothing and drops nothing out."""
    twin = copy.deepcopy(module)
    twin.requires_grad_(False)
    return twin.eval()


def pipeline_with(pipe: Any, **parts: Any) -> Any:
    """Return a pipeline of the same class with other `parts`; it shares the rest, but for the scheduler."""
    scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config)
    names = inspect.signature(type(pipe).__init__).parameters
    settings = {name: pipe.config[name] for name in names if name in pipe.config and name not in pipe.components}
    twin = type(pipe)(**{**pipe.components, "scheduler": scheduler, **parts}, **settings)
    twin.set_progress_bar_config(**getattr(pipe, "_progress_bar_config", {}))
    return twin


def part_way(module: Module, weights: Weights, strength: float) -> Weights:
    """Return theta_0 + strength (theta - theta_0): 0 = the module's own weights, 1 = `weights`, both exactly.

    Training once gives a whole sweep; between fine-tuned weights and their start the models stay usable (Wortsman et
    al., CVPR 2022, arXiv:2109.01903), and beyond 1 the change goes on in its own direction (Ilharco et al., ICLR 2023,
    arXiv:2212.04089).
    """
    start = module.state_dict()
    return {name: torch.lerp(start[name].detach().to(end), end, strength) for name, end in weights.items()}


def sha256_of(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, types, shapes and values, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def kept_in(folder: str | None, pipe: Any, recipe: Mapping[str, Any], make: Callable[[], Weights]) -> Weights:
    """Return the weights of a recipe: from the folder where it holds them, else made now, and put there.

    Args:
        folder: Where edited weights are kept; None = nowhere.
        pipe: The model that is edited: the recipe is for its UNet and text encoder as they are.
        recipe: Everything else that decides the weights, JSON-able.
        make: Makes them; weights that other code of its module made are not taken.

    Raises:
        NotMade: They would have to be made, within `making_nothing`.
        OSError: They cannot be written.
    """
    if folder is None:
        return _made(make)
    base = {name: sha256_of(getattr(pipe, name).state_dict()) for name in ("unet", "text_encoder")}
    text = json.dumps({**recipe, "base": base, "code": code_sha256(make.__module__)}, sort_keys=True)
    path = Path(folder) / f"{recipe['method']}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.safetensors"
    kept = _read(path, text)
    if kept is not None:
        return kept
    started = time.perf_counter()
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in _made(make).items()}
    seconds = time.perf_counter() - started
    theirs = _read(path, text)  # another process made them meanwhile: one training for all, as no two need be equal
    if theirs is not None:
        return theirs
    _write(path, weights, {"recipe": text, "sha256": sha256_of(weights), "seconds": f"{seconds:.3f}"})
    return weights


def making_seconds(folder: Path) -> list[tuple[dict[str, Any], float]]:
    """Return the recipes of the weights that a folder keeps, and how long each took to make; the oldest first."""
    found = []
    for path in sorted(folder.glob("*.safetensors"), key=lambda path: path.stat().st_mtime_ns):
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata()
            found.append((json.loads(about["recipe"]), float(about["seconds"])))
        except Exception:  # damaged, from before the seconds were kept, or nothing of ours
            continue
    return found


def code_sha256(name: str) -> str:
    """Return the SHA-256 over the sources of a module and of what it takes from the methods' other modules."""
    values = vars(sys.modules[name]).values()
    taken = {value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None) for value in values}
    modules = sorted({name, *(module for module in taken if module is not None and module.startswith(ROOM))})
    return hashlib.sha256("".join(inspect.getsource(sys.modules[module]) for module in modules).encode()).hexdigest()


def _made(make: Callable[[], Weights]) -> Weights:
    if not _MAY_MAKE.get():
        raise NotMade
    return make()


def _read(path: Path, recipe: str) -> Weights | None:
    """Return what a file keeps; None where it is missing, damaged, or made by another recipe."""
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except Exception:  # safetensors raises its own kind
        return None
    return weights if about.get("recipe") == recipe and about.get("sha256") == sha256_of(weights) else None


def _write(path: Path, weights: Weights, about: dict[str, str]) -> None:
    """Write all of a file or nothing: temporary file beside it, fsync, rename, fsync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    unfinished = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        save_file(weights, unfinished, metadata=about)
        _sync(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove what killed processes of this machine left; `NAME.PID.part` is what older versions wrote."""
    for path in [*folder.glob(f".*.safetensors.{socket.gethostname()}.*.tmp"), *folder.glob("*-*.*.part")]:
        number = path.suffixes[-2].removeprefix(".")
        if number.isdigit() and not _is_alive(int(number)):
            path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True
