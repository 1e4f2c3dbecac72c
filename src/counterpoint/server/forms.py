"""The form of a request to edit: OpenAI's fields as texts, the picture and its mask as files.

What is inside an object comes as `safety[safety]=high`, which is how OpenAI's own client sends it. Nothing that a
caller sends is written to disk, and no file name is looked at.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartParser

from counterpoint.interfaces import InvalidInput
from counterpoint.server.errors import ApiError
from counterpoint.server.schemas import EditRequest
from counterpoint.server.sent_pictures import Upload

MOST_FILES = 4
MOST_FIELDS = 64
MOST_FIELD_BYTES = 64 * 1024
INSIDE = re.compile(r"safety\[(\w+)\]")
FILES = {"image": "image", "image[]": "image", "mask": "mask"}
"""Names of file parts; OpenAI's client sends a list of pictures as the second."""


@dataclass(frozen=True, kw_only=True)
class EditForm:
    """A form, read."""

    fields: EditRequest
    upload: Upload
    sha256: str
    """Of what was sent; the borders between the parts, which differ each time, do not count."""


class _InMemory(MultiPartParser):
    spool_max_size = 2**40  # `BodyLimit` bounds the memory; a file on disk could stay there
    is_whole = False
    """Whether the last border was read: without it a part, the safety of a request say, may be missing."""

    def on_end(self) -> None:
        """Take note of the last border."""
        self.is_whole = True


async def read_form(request: Request) -> EditForm:
    """Read the form of a request to edit.

    Raises:
        ApiError: The body is no such form, holds an unknown part, or one of them twice.
        InvalidInput: The picture is not sent as one file.
        RequestValidationError: A field holds what it must not hold.
    """
    texts, files = await _parts(request)
    if "image" not in files:
        if "image" in texts:
            raise InvalidInput("image", "a text", "one file of the form; nothing is fetched")
        raise ApiError(400, "missing_parameter", "image: one file of the form", param="image")
    inside = {name: text for name, text in texts.items() if INSIDE.fullmatch(name)}
    fields: dict[str, Any] = {name: text for name, text in texts.items() if name not in inside}
    if inside:
        fields["safety"] = {INSIDE.sub(r"\1", name): text for name, text in inside.items()}
    try:
        checked = EditRequest.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from None
    sent = {**texts, **{name: hashlib.sha256(content).hexdigest() for name, content in files.items()}}
    return EditForm(
        fields=checked,
        upload=Upload(image=files["image"], mask=files.get("mask")),
        sha256=hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest(),
    )


async def _parts(request: Request) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return texts and files by name."""
    texts: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for name, part in await _parse(request):
        if isinstance(part, str):
            _put(texts, name, part)
        elif name in FILES:
            _put(files, FILES[name], await part.read())
        else:
            name = name[:200]
            raise ApiError(400, "unknown_parameter", f"{name}: no such file; allowed: image, mask", param=name)
    return texts, files


async def _parse(request: Request) -> list[tuple[str, UploadFile | str]]:
    wrong = "body: allowed: one multipart/form-data body of at most "
    wrong += f"{MOST_FIELDS} texts of {MOST_FIELD_BYTES} bytes and {MOST_FILES} files"
    refusal = ApiError(400, "invalid_body", wrong, param="body")
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise refusal
    limits = {"max_files": MOST_FILES, "max_fields": MOST_FIELDS, "max_part_size": MOST_FIELD_BYTES}
    try:
        parser = _InMemory(request.headers, request.stream(), **limits)
        form = await parser.parse()
    except MemoryError:
        raise
    except Exception:  # a stranger's bytes: parsers raise all kinds
        raise refusal from None
    if not parser.is_whole:
        raise refusal
    return form.multi_items()


def _put(found: dict[str, Any], name: str, value: str | bytes) -> None:
    if name in found:
        name = name[:200]
        raise ApiError(400, "invalid_value", f"{name}: allowed: once", param=name)
    found[name] = value
