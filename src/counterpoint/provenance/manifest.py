"""C2PA manifests: a signed statement in the file that a trained model made the picture (extra `[c2pa]`).

The manifest holds one `c2pa.actions` assertion, "created" with IPTC's term for the source, and is signed with the
operator's certificate. It is bound to the file's bytes: whatever changes them makes it invalid, and saving the
picture again drops it. Neither signing nor reading fetches anything: no time stamp, no remote manifest. Two
signatures of one picture differ, as each manifest has a fresh name.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from counterpoint.interfaces import InvalidInput, SafetyFailure

INSTALL = "an installation with C2PA: pip install 'counterpoint[c2pa]'"
SETTINGS = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
MANY_CERTIFICATES = "a PEM file: the certificate, then the chain above it, which C2PA's certificate profile allows"
ELLIPTIC = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
"""Curves, and C2PA's name of the signature."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What an operator signs with."""

    certificate: bytes
    """PEM: the signer's certificate, then those above it."""
    key: bytes = field(repr=False)
    """PEM, PKCS#8, without a password."""
    algorithm: str
    """C2PA's name of the signature, as es256."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a file's active manifest says."""

    state: str
    """Trusted, Valid (whole, but the signer stands on no trust list) or Invalid, in the C2PA library's words."""
    signer: str | None
    """Common name of the certificate."""
    issuer: str | None
    generator: str | None
    """The program that made the claim."""
    source_types: tuple[str, ...]
    """`digitalSourceType` of each action."""

    @property
    def is_whole(self) -> bool:
        """Whether the file is what was signed."""
        return self.state in ("Valid", "Trusted")


def read_credentials(certificate: Path, key: Path) -> Credentials:
    """Read certificate and key, and try them.

    Raises:
        InvalidInput: A file cannot be read, the two do not fit, or the extra is not installed.
    """
    _c2pa()
    allowed = "a PEM file with a private key (PKCS#8, no password): EC P-256, P-384, P-521, RSA or Ed25519"
    chain, secret = _read("c2pa_certificate", certificate, MANY_CERTIFICATES), _read("c2pa_key", key, allowed)
    try:
        algorithm = _algorithm(secret)
    except Exception as error:  # the parser raises all kinds; none may repeat the file
        raise InvalidInput("c2pa_key", str(key), allowed) from error
    credentials = Credentials(certificate=chain, key=secret, algorithm=algorithm)
    try:
        sign(_smallest_png(), "png", credentials, source_type="http://c2pa.org/digitalsourcetype/empty")
    except SafetyFailure as error:
        raise InvalidInput("c2pa_certificate", str(certificate), f"{MANY_CERTIFICATES}; and its own key") from error
    return credentials


def sign(content: bytes, file_format: str, credentials: Credentials, *, source_type: str) -> bytes:
    """Return the file with a signed manifest; its pixels are the same.

    Args:
        content: A PNG, JPEG or WebP file.
        file_format: png, jpeg or webp.
        credentials: Who signs.
        source_type: IPTC's `DigitalSourceType`.

    Raises:
        SafetyFailure: It could not be signed.
    """
    from counterpoint import __version__

    c2pa = _c2pa()
    created = {"action": "c2pa.created", "digitalSourceType": source_type, "softwareAgent": {"name": "counterpoint"}}
    manifest = {
        "claim_generator_info": [{"name": "counterpoint", "version": __version__}],
        "title": "picture",
        "format": f"image/{file_format}",
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [created]}}],
    }
    signed = io.BytesIO()
    try:
        info = c2pa.C2paSignerInfo(credentials.algorithm.encode(), credentials.certificate, credentials.key, None)
        context = c2pa.Context(c2pa.Settings.from_dict(SETTINGS), c2pa.Signer.from_info(info))
        with context, c2pa.Builder(manifest, context) as builder:
            builder.sign(f"image/{file_format}", io.BytesIO(content), signed)
    except Exception as error:
        raise SafetyFailure(f"the picture could not be signed ({type(error).__name__}); nothing is returned") from error
    return signed.getvalue()


def can_read() -> bool:
    """Whether the extra is installed."""
    try:
        _c2pa()
    except InvalidInput:
        return False
    return True


def read(content: bytes, file_format: str) -> Manifest | None:
    """Return what the file's manifest says; None where it holds none.

    Args:
        content: A PNG, JPEG or WebP file.
        file_format: png, jpeg or webp.

    Raises:
        InvalidInput: The extra is not installed.
    """
    c2pa = _c2pa()
    try:
        with c2pa.Context(c2pa.Settings.from_dict(SETTINGS)) as context:
            reader = c2pa.Reader.try_create(f"image/{file_format}", io.BytesIO(content), context=context)
            if reader is None:
                return None
            with reader:
                return _told(json.loads(reader.json()), state=str(reader.get_validation_state()))
    except Exception:  # a stranger's file: what cannot be read is no valid manifest
        return Manifest(state="Invalid", signer=None, issuer=None, generator=None, source_types=())


def _told(store: dict[str, Any], *, state: str) -> Manifest:
    active = store["manifests"][store["active_manifest"]]
    signature, generators = active.get("signature_info") or {}, active.get("claim_generator_info") or [{}]
    return Manifest(
        state=state,
        signer=signature.get("common_name"),
        issuer=signature.get("issuer"),
        generator=generators[0].get("name"),
        source_types=_source_types(active),
    )


def _source_types(manifest: dict[str, Any]) -> tuple[str, ...]:
    actions = [
        action
        for assertion in manifest.get("assertions", [])
        if str(assertion.get("label", "")).startswith("c2pa.actions")
        for action in assertion.get("data", {}).get("actions", [])
    ]
    return tuple(str(action["digitalSourceType"]) for action in actions if "digitalSourceType" in action)


def _c2pa() -> Any:
    try:
        import c2pa
    except ImportError:
        raise InvalidInput("c2pa", "this installation", INSTALL) from None
    return c2pa


def _read(field: str, path: Path, allowed: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(field, str(path), f"{allowed} ({error.strerror})") from None


def _algorithm(key: bytes) -> str:
    """Return C2PA's name of the signature that a private key makes."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    private = load_pem_private_key(key, password=None)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return ELLIPTIC[private.curve.name]
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(private, rsa.RSAPrivateKey):
        return "ps256"
    raise ValueError("another kind of key")


def _smallest_png() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, format="PNG")
    return buffer.getvalue()
