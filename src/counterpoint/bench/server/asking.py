"""Callers of a server: the standard library's HTTP client, one connection a request."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NO_ANSWER = 0
"""Status of a request that nobody answered."""
GENERATIONS = "/v1/images/generations"
SMALL = {"size": "64x64", "num_inference_steps": 2}
"""The smallest picture that holds the watermark."""
PICTURE = re.compile(rb'"b64_json": ?"([^"]+)"')


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""

    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)

    @property
    def files(self) -> list[bytes]:
        """All pictures in it, in one piece or in parts, as files."""
        return [base64.b64decode(text) for text in PICTURE.findall(self.body)]

    @property
    def sha256(self) -> str | None:
        """Of the one picture in it, computed here; None where there is not exactly one."""
        files = self.files
        return hashlib.sha256(files[0]).hexdigest() if self.status == 200 and len(files) == 1 else None


class Asker:
    """Asks one server; safe between threads.

    Args:
        port: Its port on this machine.
        key: API key; None = none is sent.
        seconds: How long to wait for an answer.
    """

    def __init__(self, port: int, *, key: str | None = None, seconds: float = 300.0) -> None:
        self.port, self.seconds = port, seconds
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    def ask(
        self, method: str, path: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer; one that is cut off, or never comes, has status NO_ANSWER."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.seconds)
        try:
            connection.request(method, path, content, {**self._headers, **(headers or {})})
            got = connection.getresponse()
            return Answer(
                status=got.status, headers={name.lower(): value for name, value in got.getheaders()}, body=got.read()
            )
        except (OSError, http.client.HTTPException):
            return Answer(status=NO_ANSWER)
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        """GET."""
        return self.ask("GET", path)

    def post(self, path: str, body: Mapping[str, Any], **headers: str) -> Answer:
        """POST one JSON object."""
        return self.ask("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})

    def draw(self, prompt: str, **fields: Any) -> Answer:
        """Ask for a small picture."""
        return self.post(GENERATIONS, {"prompt": prompt, **SMALL, **fields})

    def metric(self, name: str) -> float:
        """Return a number of /metrics, summed over its labels; 0 where it stands nowhere yet."""
        lines = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", self.get("/metrics").body.decode(), re.M)
        return sum(map(float, lines))
