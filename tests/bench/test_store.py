"""The store: order of writes, a full disk, temporary files of the dead."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from counterpoint.bench import files
from counterpoint.bench.files import sweep_temporaries, write_whole
from counterpoint.bench.store import Store, content_key

KEY = "ab" * 32


def test_a_record_comes_after_its_picture_and_each_is_synced_before_its_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def seen_fsync(number: int) -> None:
        calls.append("fsync folder" if os.path.isdir(f"/proc/self/fd/{number}") else "fsync file")
        fsync(number)

    def seen_replace(source: Path, target: Path) -> None:
        calls.append(f"rename {Path(target).suffix}")
        replace(source, target)

    monkeypatch.setattr(files.os, "fsync", seen_fsync)
    monkeypatch.setattr(files.os, "replace", seen_replace)
    Store(tmp_path).write_picture(KEY, b"picture", {"key": KEY})
    assert calls == ["fsync file", "rename .png", "fsync folder", "fsync file", "rename .json", "fsync folder"]


def test_a_picture_without_its_record_does_not_count(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_whole(store.picture_path(KEY), b"picture")
    assert store.record(KEY) is None
    store.write_picture(KEY, b"picture", {"key": KEY})
    assert store.record(KEY) is not None
    store.picture_path(KEY).write_bytes(b"Picture")
    assert store.record(KEY) is None


def test_an_error_is_no_picture(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("records", KEY, {"key": KEY, "error": "broken"})
    assert store.record(KEY) == {"key": KEY, "error": "broken"}
    store.write("records", KEY, {"key": KEY})  # neither picture nor error
    assert store.record(KEY) is None


def test_a_full_disk_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    code = (
        "import resource, signal, sys; from pathlib import Path; from counterpoint.bench.files import write_whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_whole(Path(sys.argv[1]), b'x' * 5000)\n"
        "except OSError: sys.exit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 7
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_only_temporaries_of_dead_processes_are_swept(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = socket.gethostname()
    names = [f".a.png.{host}.{dead.pid}.tmp", f".b.png.{host}.{os.getpid()}.tmp", f".c.png.elsewhere.{dead.pid}.tmp"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    assert sweep_temporaries(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


def test_a_key_depends_on_every_part_and_not_on_their_order() -> None:
    parts = {"seed": 1, "call": {"steps": 2, "scale": 7.5}}
    assert content_key(parts) == content_key({"call": {"scale": 7.5, "steps": 2}, "seed": 1})
    assert content_key(parts) != content_key({**parts, "seed": 2})
    with pytest.raises(ValueError):
        content_key({"scale": float("nan")})


def test_every_flipped_bit_of_a_record_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record = {"picture": "ab", "is_unsafe": False, "score": 0.25, "labels": {"object": "knife"}, "error": None}
    store.write("verdicts/x", KEY, record)
    path = next((tmp_path / "verdicts").rglob("*.json"))
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in (1, 4, 32):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            found = store.read("verdicts/x", KEY)
            # A flip in the checksum's own name leaves the content whole, with a field that nobody knows.
            assert found is None or {name: found.get(name) for name in record} == record, (place, bit)


def test_a_record_of_a_run_before_checksums_is_read(tmp_path: Path) -> None:
    path = tmp_path / "records" / KEY[:2] / f"{KEY}.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"error": "broken"}')
    assert Store(tmp_path).read("records", KEY) == {"error": "broken"}
