"""Edited weights that are kept in a folder: whole or not at all, and made again where they are damaged."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from counterpoint.methods import edited, uce
from counterpoint.methods.edited import NotMade, kept_in, making_nothing, making_seconds

RECIPE = {"method": "own", "words": ["knife"]}
WEIGHTS = {"a": torch.arange(64.0), "b": torch.ones(3, 2)}
NOBODY = 2**22 + 1
"""Above the highest process number of Linux."""


@pytest.fixture
def keep(tiny_pipe: Any, tmp_path: Path) -> Callable[[], int]:
    """Ask for the weights; return how often they were made for it."""

    def ask() -> int:
        made: list[int] = []

        def make() -> dict[str, torch.Tensor]:
            made.append(1)
            return {name: tensor.clone() for name, tensor in WEIGHTS.items()}

        found = kept_in(str(tmp_path / "weights"), tiny_pipe, RECIPE, make)
        assert found.keys() == WEIGHTS.keys() and all(torch.equal(found[name], WEIGHTS[name]) for name in WEIGHTS)
        return len(made)

    return ask


def kept_file(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "weights").glob("*.safetensors")
    return path


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def flip_last(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))


def flip_first(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(bytes(content))


def other_recipe(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"knife", b"knifd"))


@pytest.mark.parametrize("damage", [empty, cut, flip_last, flip_first, other_recipe])
def test_damaged_weights_are_made_again(
    keep: Callable[[], int], tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    assert (keep(), keep()) == (1, 0)
    damage(kept_file(tmp_path))
    assert (keep(), keep()) == (1, 0)


def test_a_method_goes_on_where_its_weights_were_damaged(tiny_pipe: Any, tmp_path: Path) -> None:
    options = uce.Options(concepts=("knife", "sword"), folder=str(tmp_path / "weights"))
    first = uce.build(tiny_pipe, options).recipe()
    flip_last(kept_file(tmp_path))
    assert uce.build(tiny_pipe, options).recipe() == first


def test_what_killed_processes_left_is_swept_and_what_others_write_is_not(
    keep: Callable[[], int], tmp_path: Path
) -> None:
    folder, host = tmp_path / "weights", socket.gethostname()
    folder.mkdir()
    dead = [f"esd-0123.{NOBODY}.part", f".esd-0123.safetensors.{host}.{NOBODY}.tmp"]
    alive = [f"esd-0123.{os.getpid()}.part", f".esd-0123.safetensors.{host}.{os.getpid()}.tmp",
             f".esd-0123.safetensors.another.{NOBODY}.tmp", "notes.part", "my-notes.txt.part"]  # fmt: skip
    for name in [*dead, *alive]:
        (folder / name).touch()
    keep()
    assert {path.name for path in folder.iterdir()} == {*alive, kept_file(tmp_path).name}


def test_a_write_that_fails_leaves_nothing(
    keep: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        Path(args[1]).write_bytes(b"half")
        raise OSError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(edited, "save_file", full)
        with pytest.raises(OSError, match="full"):
            keep()
    assert list((tmp_path / "weights").iterdir()) == []
    assert keep() == 1


def test_weights_are_synced_before_they_bear_their_name(
    keep: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[bool, list[str]]] = []
    sync = os.fsync

    def noted(handle: int) -> None:
        names = [path.name for path in (tmp_path / "weights").glob("*.safetensors") if path.name[0] != "."]
        synced.append((os.path.isdir(f"/proc/self/fd/{handle}"), names))
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    keep()
    assert synced == [(False, []), (True, [kept_file(tmp_path).name])]


def test_nothing_is_made_where_nothing_may_be(tiny_pipe: Any, keep: Callable[[], int]) -> None:
    with making_nothing(), pytest.raises(NotMade):
        keep()
    with making_nothing(), pytest.raises(NotMade):
        kept_in(None, tiny_pipe, RECIPE, lambda: WEIGHTS)
    assert keep() == 1
    with making_nothing():
        assert keep() == 0


def test_the_file_says_how_long_it_took(keep: Callable[[], int], tmp_path: Path) -> None:
    keep()
    with safe_open(kept_file(tmp_path), framework="pt") as file:
        assert float(file.metadata()["seconds"]) >= 0
    empty(tmp_path / "weights" / "damaged.safetensors")
    ((recipe, seconds),) = making_seconds(tmp_path / "weights")
    assert RECIPE.items() <= recipe.items() and seconds >= 0
    assert making_seconds(tmp_path / "nowhere") == []


def test_weights_that_another_process_made_meanwhile_are_taken(tiny_pipe: Any, tmp_path: Path) -> None:
    folder = str(tmp_path / "weights")
    theirs = {name: tensor + 1 for name, tensor in WEIGHTS.items()}

    def make() -> dict[str, torch.Tensor]:
        kept_in(folder, tiny_pipe, RECIPE, lambda: theirs)  # while ours were made
        return WEIGHTS

    for found in (kept_in(folder, tiny_pipe, RECIPE, make), kept_in(folder, tiny_pipe, RECIPE, make)):
        assert all(torch.equal(found[name], theirs[name]) for name in theirs)
