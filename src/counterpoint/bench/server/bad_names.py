"""Addresses and file names that a server must never follow."""

from __future__ import annotations

import random
import socket
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from counterpoint.bench.server.asking import GENERATIONS
from counterpoint.bench.server.bad_pictures import edited, good_picture, guarded, moderated
from counterpoint.bench.server.bad_requests import CHEAP, CHEAP_EDIT, put, send
from counterpoint.bench.server.sending import EDITS, GUARDRAIL, MODERATIONS, File, Sent, as_form, as_json

MARKER = "counterpoint-bait"
"""Stands in each path: a file whose name holds it must not even be opened."""
LOOPBACK = (
    "127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "0177.0.0.1",
    "127.1", "LOCALHOST", "localhost.", "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460", "example.org@127.0.0.1",
    "127.0.0.1%2f@example.org", "127.0.0.1.nip.io", "[0:0:0:0:0:0:0:1]", "127.255.255.254", "0",
)  # fmt: skip
OTHERS = (
    "169.254.169.254", "2852039166", "0xa9fea9fe", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "0251.0376.0251.0376",
    "metadata.google.internal", "100.100.100.200", "10.0.0.1", "192.168.0.1", "172.16.0.1", "example.org",
    "example.org:22", "[fe80::1%25eth0]", "instance-data", "kubernetes.default.svc",
)  # fmt: skip
SCHEMES = ("http", "https", "HTTP", "ftp", "gopher", "dict", "ldap", "sftp", "ws", "jar:http", "s3", "tftp")
ROOTS = (
    "/", "/tmp/", "/etc/", "../", "../../../../../../tmp/", "..\\..\\..\\", "C:\\", "C:/a/", "\\\\127.0.0.1\\c$\\",
    "//127.0.0.1/", "file:///tmp/", "~/", "$HOME/", "%2e%2e%2f%2e%2e%2f", "..%c0%af..%c0%af", "....//....//", "./../",
    "\u2025/\u2025/", "\uff0e\uff0e\uff0f", "/proc/self/", "/dev/shm/", "\\\\?\\C:\\", "/dev/fd/",
)  # fmt: skip
TAILS = (
    "", ".png", "\0.png", ".png\0.sh", ".", " ", "/", ":$DATA", "|touch a", "`touch a`", "$(touch a)", ";touch a",
    "\u202egnp", "\r\nX-A: 1", '"; name="mask', "*", "?", "<>", "'", "\U0001f415", "\x1b[2J", "\x7f", "%s%n", "{0}",
)  # fmt: skip
DEVICES = ("CON", "NUL", "AUX", "COM1", "LPT9.png", "con.png", "PRN ", "CLOCK$", ".htaccess", "-rf", ".", "..", "")


class Bait:
    """While the block runs, a port that nobody but a fetching server would ask, and a file that it would read."""

    def __enter__(self) -> Bait:
        """Begin."""
        self._stack = ExitStack()
        self._socket = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self.file = Path(self._stack.enter_context(tempfile.TemporaryDirectory())) / f"{MARKER}.png"
        self.file.write_bytes(good_picture(random.Random(0)))
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stack.close()

    @property
    def taken(self) -> bool:
        """Whether somebody asked since the last time."""
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True


def address(rng: random.Random, bait: Bait) -> str:
    """Return an address, most of them of this machine or of a network's inside."""
    if rng.random() < 0.3:
        path = str(bait.file)
        return rng.choice(
            [
                f"file://{path}", f"file:{path}", f"file://localhost{path}", f"FILE://{path}", path, f"file:/{path}",
                f"\\\\localhost\\{MARKER}", f"local:{path}", "file:///etc/passwd", "file:///proc/self/environ",
                "data:text/html,<p>", "data:image/svg+xml,<svg/>", "data:image/png,a", "data:,a", "blob:null/1",
                "cid:a", "about:blank", "javascript:alert(1)", "php://filter/resource=/etc/passwd", "expect://id",
            ]
        )  # fmt: skip
    is_near = rng.random() < 0.6
    host = f"{rng.choice(LOOPBACK)}:{bait.port}" if is_near else rng.choice(OTHERS)
    scheme = (
        rng.choice(("//", "\\\\", " http://", "http:/\\", "http:", "\thttp://", "url:http://", ""))
        if rng.random() < 0.2
        else f"{rng.choice(SCHEMES)}://"
    )
    return f"{scheme}{host}/{rng.choice((f'{MARKER}.png', 'latest/meta-data/', '?a=data:image/png;base64,', ''))}"


def addresses(rng: random.Random, count: int, bait: Bait) -> list[Sent]:
    """Return requests with an address in a place that no address may stand in."""
    return [ADDRESS_PLACES[number % len(ADDRESS_PLACES)](address(rng, bait)) for number in range(count)]


def addresses_as_texts(rng: random.Random, count: int, bait: Bait) -> list[Sent]:
    """Return checks of texts that are addresses, which are texts like others."""
    found = []
    for number in range(count):
        text = address(rng, bait)
        if number % 2:
            found.append(as_json("an address as a text", GUARDRAIL, {"input_type": "request", "texts": [text]}))
        else:
            found.append(as_json("an address as a text", MODERATIONS, {"input": [text]}))
    return found


def file_name(rng: random.Random) -> bytes:
    """Return a hostile file name, in UTF-8 or not."""
    name = rng.choice(ROOTS) + MARKER * rng.choice((1, 1, 1, 40, 900)) + rng.choice(TAILS)
    if rng.random() < 0.15:
        name = rng.choice(DEVICES)
    return name.encode() if rng.random() < 0.9 else name.encode("utf-16")


def file_names(rng: random.Random, count: int) -> list[Sent]:
    """Return requests with a hostile name: of a good picture, of its mask, of a part, of a model."""
    found = []
    for number in range(count):
        name = file_name(rng)
        match number % 5:
            case 0:
                found.append(edited("name of a mask", good_picture(rng), good_picture(rng), name))
            case 1:
                part = name.decode("utf-8", "replace")
                found.append(as_form("name of a part", [("prompt", "a dog"), (part, File(content=good_picture(rng)))]))
            case 2:
                model = name.decode("utf-8", "replace")
                found.append(as_json("name of a model", GENERATIONS, {**CHEAP, "model": model}))
            case _:
                found.append(edited("name of a picture", good_picture(rng), name=name))
    return found


def _in_field(path: str, place: str, told: str = "") -> Callable[[str], Sent]:
    def with_address(address: str) -> Sent:
        body = {"input": "a dog"} if path == MODERATIONS else dict(CHEAP_EDIT if path == EDITS else CHEAP)
        put(body, place.split("."), address)
        return send(f"in {place}", path, body, {place: told})

    return with_address


ADDRESS_PLACES: list[Callable[[str], Sent]] = [
    *(_in_field(GENERATIONS, place, "no such parameter")
      for place in ("image", "image_url", "mask", "url", "init_image", "safety.image")),
    *(_in_field(GENERATIONS, place)
      for place in ("model", "size", "output_format", "response_format", "background", "safety.safety",
                    "safety.on_unsafe")),
    *(_in_field(EDITS, place) for place in ("image", "image_url", "mask", "model", "size", "response_format")),
    *(_in_field(MODERATIONS, place) for place in ("model", "image_url", "url")),
    *(lambda address: moderated("as a picture", address),) * 8,
    *(lambda address: guarded("as a picture", address),) * 6,
    lambda address: edited("as a picture", address.encode()),
    lambda address: edited("as a mask", good_picture(random.Random(0)), address.encode()),
]  # fmt: skip
