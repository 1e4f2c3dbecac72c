"""C2PA: signed with the operator's certificate, read back, and invalid where a byte was changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image
from typer.testing import CliRunner

from counterpoint.cli import app
from counterpoint.interfaces import InvalidInput, SafetyFailure
from counterpoint.png import PictureRecord
from counterpoint.provenance import manifest
from counterpoint.provenance.files import EDITED, SYNTHETIC
from counterpoint.provenance.inspection import inspect_file
from counterpoint.provenance.manifest import Credentials, read_credentials
from counterpoint.provenance.marking import METADATA_ONLY, Marking
from tests.provenance.certificates import SIGNER, write_credentials

RECORD = PictureRecord(
    prompt_sha256="0" * 64, seed=7, steps=2, guidance_scale=1.0, scheduler="DDIMScheduler", model="embedded"
)


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return read_credentials(*write_credentials(tmp_path_factory.mktemp("certificates")))


def _picture(side: int = 96) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp"])
def test_the_manifest_names_source_and_signer_and_leaves_the_pixels(
    file_format: Any, credentials: Credentials, tmp_path: Path
) -> None:
    unsigned, signed = tmp_path / "unsigned", tmp_path / "signed"
    unsigned.write_bytes(Marking().encode(_picture(), RECORD, file_format))
    signed.write_bytes(Marking(credentials=credentials).encode(_picture(), RECORD, file_format))
    with Image.open(unsigned) as before, Image.open(signed) as after:
        assert before.tobytes() == after.tobytes()
    found = inspect_file(signed)
    assert found.manifest is not None and found.manifest.is_whole
    assert found.manifest.state == "Valid"  # and not "Trusted": the test's root stands on no list
    assert (found.manifest.signer, found.manifest.generator) == (SIGNER, "counterpoint")
    assert found.manifest.source_types == (SYNTHETIC,)
    assert found.has_watermark and found.source_type == SYNTHETIC and found.record is not None
    assert inspect_file(unsigned).manifest is None
    assert signed.stat().st_size - unsigned.stat().st_size < 16_000


def test_an_edit_says_so(credentials: Credentials, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(Marking(credentials=credentials).encode(_picture(), RECORD, is_edit=True))
    found = inspect_file(path)
    assert found.manifest is not None and found.manifest.source_types == (EDITED,)
    assert found.source_type == EDITED and found.is_synthetic


def test_a_changed_file_is_invalid_and_a_saved_copy_has_none(credentials: Credentials, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    content = bytearray(Marking(watermark_key=None, credentials=credentials).encode(_picture(), RECORD, "jpeg"))
    content[-100] ^= 1  # in the picture's own data
    path.write_bytes(content)
    found = inspect_file(path)
    assert found.manifest is not None and found.manifest.state == "Invalid" and not found.manifest.is_whole
    with Image.open(path) as image:
        image.load()
        image.save(tmp_path / "copy.png")
    assert inspect_file(tmp_path / "copy.png").manifest is None


def test_a_manifest_alone_says_that_a_picture_is_synthetic(credentials: Credentials, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    _picture().save(path)
    assert not inspect_file(path).is_synthetic
    path.write_bytes(manifest.sign(path.read_bytes(), "png", credentials, source_type=SYNTHETIC))
    assert inspect_file(path).is_synthetic


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()])
def test_other_curves_sign_too(curve: ec.EllipticCurve, tmp_path: Path) -> None:
    signed = Marking(credentials=read_credentials(*write_credentials(tmp_path, curve=curve))).encode(_picture(), RECORD)
    found = manifest.read(signed, "png")
    assert found is not None and found.is_whole


def test_wrong_certificates_and_keys_are_named(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    certificate, key = write_credentials(tmp_path / "one")
    _, other = write_credentials(tmp_path / "two")
    (tmp_path / "text.pem").write_text("no certificate")
    for field, files in (
        ("c2pa_certificate", (tmp_path / "missing.pem", key)),
        ("c2pa_certificate", (tmp_path / "text.pem", key)),
        ("c2pa_key", (certificate, tmp_path / "text.pem")),
        ("c2pa_key", (certificate, certificate)),
        ("c2pa_certificate", (certificate, other)),
    ):
        with pytest.raises(InvalidInput) as wrong:
            read_credentials(*files)
        assert wrong.value.field == field
    assert "PRIVATE" not in repr(read_credentials(certificate, key))


def test_what_cannot_be_signed_is_not_returned(credentials: Credentials) -> None:
    broken = Credentials(certificate=credentials.certificate, key=b"broken", algorithm="es256")
    with pytest.raises(SafetyFailure, match="signed"):
        Marking(credentials=broken).encode(_picture(), RECORD)


def test_without_the_extra_it_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, credentials: Credentials
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(Marking(credentials=credentials).encode(_picture(), RECORD))
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)
    found = inspect_file(path)
    assert found.manifest is None and not found.reads_manifests and found.is_synthetic
    assert "counterpoint[c2pa]" in CliRunner().invoke(app, ["inspect", str(path)]).stdout
    with pytest.raises(InvalidInput, match=r"counterpoint\[c2pa\]"):
        read_credentials(tmp_path / "a", tmp_path / "b")


def test_the_command_tells_it(credentials: Credentials, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(Marking(credentials=credentials).encode(_picture(), RECORD))
    lines = CliRunner().invoke(app, ["inspect", str(path)]).stdout
    assert f"manifest    Valid, signed by {SIGNER}: trainedAlgorithmicMedia" in lines
    told = json.loads(CliRunner().invoke(app, ["inspect", str(path), "--json"]).stdout)
    assert told["manifest"]["state"] == "Valid" and told["reads_manifests"]


def test_marking_leaves_the_callers_picture_alone() -> None:
    picture = _picture()
    before = picture.tobytes()
    Marking().encode(picture, RECORD)
    assert picture.tobytes() == before
    content = METADATA_ONLY.encode(picture, RECORD)
    with Image.open(__import__("io").BytesIO(content)) as file:
        assert file.tobytes() == before
    assert not Marking().has_room(_picture(63)) and METADATA_ONLY.has_room(_picture(63))
