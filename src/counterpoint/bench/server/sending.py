"""Requests as bytes, so that wrong ones can be sent, too."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from counterpoint.bench.server.asking import GENERATIONS

EDITS = "/v1/images/edits"
MODERATIONS = "/v1/moderations"
GUARDRAIL = "/beta/litellm_basic_guardrail_api"
ROUTES = (GENERATIONS, EDITS, MODERATIONS, GUARDRAIL)
"""All that take a body."""
JSON = "application/json"
BOUNDARY = b"a-border-that-stands-in-no-part"
FORM = f"multipart/form-data; boundary={BOUNDARY.decode()}"


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of a form."""

    content: bytes
    name: bytes = b"a.png"
    """Sent as it is."""


Part = tuple[str, str | File]
"""Name and content of a part of a form."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One request."""

    kind: str
    """What is special about it, for the page."""
    path: str
    content: bytes
    content_type: str | None = JSON
    wrong: Mapping[str, str] = field(default_factory=dict)
    """Fields that may be named in the refusal, and for each what its message has to say; "" = anything."""


def as_json(kind: str, path: str, body: Mapping[str, Any], wrong: Mapping[str, str] | None = None) -> Sent:
    """Return a request with a JSON body; NaN, infinity and halves of characters are sent, too."""
    return Sent(kind=kind, path=path, content=json.dumps(body).encode(), wrong=wrong or {})


def as_form(kind: str, parts: Sequence[Part], wrong: Mapping[str, str] | None = None) -> Sent:
    """Return a request to edit."""
    return Sent(kind=kind, path=EDITS, content=form(parts), content_type=FORM, wrong=wrong or {})


def form(parts: Sequence[Part]) -> bytes:
    """Return a multipart body; names are not escaped."""
    lines = []
    for name, part in parts:
        head = b'Content-Disposition: form-data; name="' + name.encode() + b'"'
        content = part.encode() if isinstance(part, str) else part.content
        if isinstance(part, File):
            head += b'; filename="' + part.name + b'"\r\nContent-Type: image/png'
        lines += [b"--" + BOUNDARY, head, b"", content]
    return b"\r\n".join([*lines, b"--" + BOUNDARY + b"--", b""])
