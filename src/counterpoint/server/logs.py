"""One JSON object a line on stderr, without a prompt, a key or a picture.

Only the fields of FIELDS are written. A text is named by a keyed hash and its length: equal texts can
be seen to be equal, and without the key no text can be tried against the log. What other packages log
is cut down to its place in their source: their messages may hold anything, as diffusers' holds prompts.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

OWN = "counterpoint.server"
SERVER = "uvicorn.error"
"""Uvicorn's logger: its messages speak of sockets and signals, and are written as they are."""
FIELDS = frozenset(
    """request_id caller method route status seconds model n steps size seed batch prompt_hmac prompt_chars actions
    categories code stage outcome replayed error where host port models keys setting task replicas""".split()
)

_LOGGER = logging.getLogger(OWN)


def log_event(event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Write one event.

    Raises:
        ValueError: A field is not one of FIELDS.
    """
    if unknown := fields.keys() - FIELDS:
        raise ValueError(f"no field of the log: {sorted(unknown)}")
    _LOGGER.log(level, event, extra={"fields": {name: value for name, value in fields.items() if value is not None}})


def log_failure(event: str, error: BaseException, **fields: Any) -> None:
    """Write an exception: its class and the places it came through, never its message."""
    log_event(event, level=logging.ERROR, error=type(error).__name__, where=_places(error.__traceback__), **fields)


def text_hash(key: bytes, text: str) -> str:
    """HMAC-SHA-256 of a text, the first 16 hexadecimal digits."""
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]


def configure_logging(*, level: int = logging.INFO) -> None:
    """Send all logging of this process through the JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    for name in (OWN, SERVER):
        logging.getLogger(name).setLevel(level)


def quiet_libraries() -> None:
    """Have diffusers and transformers print nothing themselves; call it when they are imported."""
    import diffusers
    import transformers

    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
        library.disable_default_handler()  # it prints messages, and those hold prompts
        library.enable_propagation()


class JsonLines(logging.Formatter):
    """See the module."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        if record.name == SERVER and record.exc_info is None:
            line |= {"event": "uvicorn", "message": record.getMessage()}
        elif record.name == OWN:
            line |= {"event": record.msg, **getattr(record, "fields", {})}
        else:
            line |= {"event": "foreign", "logger": record.name, "where": f"{record.filename}:{record.lineno}"}
            if record.exc_info and record.exc_info[1] is not None:
                line["error"] = type(record.exc_info[1]).__name__
        return json.dumps(line, default=str)


def _places(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in traceback.extract_tb(trace)][-8:]
