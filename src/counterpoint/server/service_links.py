"""What Kubernetes puts into each container's environment beside a Service named counterpoint.

    COUNTERPOINT_SERVICE_HOST, COUNTERPOINT_SERVICE_PORT, COUNTERPOINT_SERVICE_PORT_<NAME>
    COUNTERPOINT_PORT=tcp://10.0.0.1:8000
    COUNTERPOINT_PORT_8000_TCP, and that with _PROTO, _PORT, _ADDR behind it

They look like settings of ours and are none: nobody typed them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PROTOCOL = r"(?:TCP|UDP|SCTP)"
_NAME = re.compile(
    rf"COUNTERPOINT_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_{_PROTOCOL}(?:_(?:PROTO|PORT|ADDR))?)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://\S+")


def is_service_link(name: str, value: str) -> bool:
    """Whether an environment variable is one of these; `COUNTERPOINT_PORT` is, where it holds an address."""
    if name.upper() == "COUNTERPOINT_PORT":
        return _ADDRESS.fullmatch(value) is not None
    return _NAME.fullmatch(name) is not None


def without_service_links(environment: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return an environment without them."""
    return {name: value for name, value in environment.items() if not is_service_link(name, value or "")}
