"""Wrong requests, bad pictures, addresses and file names: all refused, nothing fetched or written."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from counterpoint.bench.server.asking import Answer, Asker
from counterpoint.bench.server.audit import Audit
from counterpoint.bench.server.bad_names import MARKER, Bait, addresses, addresses_as_texts, file_names
from counterpoint.bench.server.bad_pictures import TOO_MANY_PIXELS, bad_pictures
from counterpoint.bench.server.bad_requests import bad_requests
from counterpoint.bench.server.figure import exact
from counterpoint.bench.server.running import ROOM, inside
from counterpoint.bench.server.sending import GUARDRAIL, Sent
from counterpoint.bench.server.valid_requests import valid_requests
from counterpoint.results import Figure, rate
from counterpoint.server import loading
from counterpoint.server.config import load_settings
from counterpoint.server.service import Wrap

FULL = 5000
VALID, PICTURES, ADDRESSES, NAMES = 500, 500, 300, 500
"""So many with `FULL` bad requests; otherwise in proportion."""
OPERATOR: dict[str, Any] = {
    "port": 0, "picture_detectors": ("scenes_checker",), "on_unsafe": "flag", "watermark": False, "max_n": 10,
    "max_pixels": TOO_MANY_PIXELS**2 // 2, **ROOM,
}  # fmt: skip
"""Pictures in one step are noise: looked at, and drawn once all the same."""
LIMIT = re.compile(r"allowed|should|required|once|no such|at most|one file")
BELOW = re.compile(r"(\.(\d+|text|type|image_url|url))*")
"""What may follow the name of a wrong field: the place inside it, as the caller wrote it."""
NOTES = """Seeded requests to the four POST routes, one after the other. Bad requests are valid ones with one to three
wrong fields (type, range, length, enum, NaN, missing), an unknown field at the top or inside `safety`, deep nesting,
broken JSON or form, or another content type. "Names a wrong field": `param` is one of them, and the message begins with
it. "Says what is allowed": the message holds what is due for that field, such as `1..10`.

Bad pictures are sent to edits (as picture or mask), moderations and guardrail: truncated, wrong first bytes, too many
pixels by header or in truth, packed texts of megabytes, animated, empty, other formats, SVG, PDF, scripts, a picture
behind the head of another format, wrong base64. A picture with something behind its end is a picture, and not among
them. Addresses stand where a picture or a choice is expected. Refused is a 4xx in OpenAI's shape; the guardrail's own
word for pictures is `BLOCKED`, with status 200, as its interface has no other.

File names are those of good pictures, of masks, parts and models. No route uses a name, so that a good picture under a
hostile one is drawn: "without effect" are those answered 200 or 4xx with nothing written. "Connections" and "files" are
requests during which a thread other than the caller's looked up an address or opened a connection, or wrote, renamed,
removed or made a file, started a program, or opened a file named like the bait: Python's audit hooks tell. So does a
port that nobody should ask, which most addresses name; these two count over all requests."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one request."""

    sent: Sent
    answer: Answer
    connected: bool = False
    wrote: bool = False

    @property
    def is_4xx(self) -> bool:
        """Whether it was the caller's fault."""
        return 400 <= self.answer.status < 500

    @property
    def error(self) -> dict[str, Any]:
        """The error in OpenAI's shape; empty where there is none."""
        try:
            error = self.answer.json()["error"]
            is_whole = all(isinstance(error[name], str) and error[name] for name in ("message", "type", "code"))
            return dict(error) if is_whole else {}
        except (ValueError, LookupError, TypeError):
            return {}

    @property
    def is_refused(self) -> bool:
        """Whether the answer says no, in the words of its route."""
        if self.sent.path == GUARDRAIL and self.answer.status == 200:
            told: object = self.answer.json()
            return isinstance(told, dict) and told.get("action") == "BLOCKED"
        return self.is_4xx and bool(self.error)

    @property
    def named(self) -> str | None:
        """Which of the wrong fields the refusal names; "" = any counts; None = none of them."""
        param = self.error.get("param") or ""
        if not param or not self.error["message"].startswith(param):
            return None
        fits = (name for name in self.sent.wrong if _is_field(param, name))
        return next(fits, None)

    @property
    def says_limit(self) -> bool:
        """Whether the message says what is allowed."""
        if self.named is None:
            return False
        told = self.sent.wrong[self.named]
        return told in self.error["message"] and LIMIT.search(self.error["message"]) is not None

    @property
    def is_answered(self) -> bool:
        """Whether a valid request got what it may get: an answer, or the documented refusal of what it asks for."""
        return self.answer.status == 200 or self.error.get("code") == "moderation_blocked"

    @property
    def is_without_effect(self) -> bool:
        """Whether it was refused, or answered with nothing written."""
        return (self.is_4xx or self.answer.status == 200) and not self.wrote


def measure(count: int, threads: int, *, load: Any = loading.load_pipe, wrap: Wrap = loading.wrap) -> dict[str, Figure]:
    """Send `count` bad requests, and all others in proportion."""
    rng = random.Random(0)
    operator = load_settings(**OPERATOR)
    with inside(operator, load=load, wrap=wrap) as server, Bait() as bait, Audit(MARKER) as audit:
        asker, alive = Asker(server.port), 0
        groups = {
            "bad": bad_requests(rng, count),
            "valid": valid_requests(rng, _part(VALID, count)),
            "pictures": bad_pictures(rng, _part(PICTURES, count)),
            "addresses": addresses(rng, _part(ADDRESSES, count), bait),
            "texts": addresses_as_texts(rng, _part(ADDRESSES // 5, count), bait),
            "names": file_names(rng, _part(NAMES, count)),
        }
        outcomes = {}
        for name, group in groups.items():
            outcomes[name] = [ask(asker, audit, bait, sent) for sent in group]
            alive += asker.draw("a dog in a forest").sha256 is not None
    return {**figures(outcomes), "alive after each group": rate(alive, len(groups))}


def ask(asker: Asker, audit: Audit, bait: Bait, sent: Sent) -> Outcome:
    """Send one request, and see what the server's threads do meanwhile."""
    audit.seen.clear()
    headers = {} if sent.content_type is None else {"Content-Type": sent.content_type}
    answer = asker.ask("POST", sent.path, sent.content, headers)
    connected = bait.taken or "network" in audit.seen
    return Outcome(sent=sent, answer=answer, connected=connected, wrote="files" in audit.seen)


def figures(outcomes: dict[str, list[Outcome]]) -> dict[str, Figure]:
    """Count; what was not as it should be is told by kind, too."""
    bad, everything = outcomes["bad"], [one for group in outcomes.values() for one in group]
    counted: dict[str, tuple[Sequence[Outcome], Callable[[Outcome], bool]]] = {
        "bad requests answered 4xx": (bad, lambda one: one.is_4xx),
        "... in OpenAI's shape": (bad, lambda one: bool(one.error)),
        "... that name a wrong field": (bad, lambda one: one.named is not None),
        "... that say what is allowed": (bad, lambda one: one.says_limit),
        "bad pictures refused": (outcomes["pictures"], lambda one: one.is_refused),
        "addresses refused": (outcomes["addresses"], lambda one: one.is_refused),
        "addresses as texts answered": (outcomes["texts"], lambda one: one.is_answered),
        "file names refused, or without effect": (outcomes["names"], lambda one: one.is_without_effect),
        "valid requests answered": (outcomes["valid"], lambda one: one.is_answered),
        "answered, and not with 5xx": (everything, lambda one: 0 < one.answer.status < 500),
    }
    found = {name: rate(sum(map(right, group)), len(group)) for name, (group, right) in counted.items()}
    found["connections"] = rate(sum(one.connected for one in everything), len(everything))
    found["files"] = rate(sum(one.wrote for one in everything), len(everything))
    for name, (group, right) in counted.items():
        kinds = Counter(f"{one.sent.kind}, {one.sent.path}" for one in group if not right(one))
        found |= {f"not so: {name}: {kind}": exact(number, "requests", len(group)) for kind, number in kinds.items()}
    return found


def _is_field(param: str, name: str) -> bool:
    return not name or param == name[:200] or (param.startswith(name) and bool(BELOW.fullmatch(param[len(name) :])))


def _part(most: int, count: int) -> int:
    return max(1, most * count // FULL)
