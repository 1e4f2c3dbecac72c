"""The measurement of wrong inputs: once, small, on the tiny model; and that it sees what it is there to see."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from counterpoint.bench.server import inputs
from counterpoint.bench.server.asking import GENERATIONS, Answer, Asker
from counterpoint.bench.server.audit import Audit
from counterpoint.bench.server.bad_names import MARKER, Bait, addresses, file_names
from counterpoint.bench.server.bad_pictures import KINDS, bad_pictures, good_picture
from counterpoint.bench.server.bad_requests import CHEAP_EDIT, ROWS, Wrong, bad_requests, body_of, put, send
from counterpoint.bench.server.inputs import Outcome, figures
from counterpoint.bench.server.sending import EDITS, FORM, GUARDRAIL, ROUTES, File, Sent, form
from counterpoint.bench.server.valid_requests import valid_requests
from tests.server.conftest import Running, running
from tests.server.test_faults import Looker, wrap_with

COUNT = 50
NONE = ("connections", "files")


@pytest.fixture(scope="module")
def server(tiny: Callable[[str], Any]) -> Iterator[Running]:
    operator = {name: value for name, value in inputs.OPERATOR.items() if name != "picture_detectors"}
    with running(tiny, wrap=wrap_with(Looker()), **operator, models={"embedded": "tiny"}, min_safety=0.5) as one:
        yield one


def test_the_measurement_finds_nothing(tiny: Callable[[str], Any]) -> None:
    found = inputs.measure(COUNT, 1, load=tiny, wrap=wrap_with(Looker()))
    del found["addresses as texts answered"]  # the tiny tokenizer spells them, so that some are too long
    found = {name: figure for name, figure in found.items() if not name.startswith("not so: addresses as texts")}
    wrong = {name: figure for name, figure in found.items() if figure.value != (0 if name in NONE else 1)}
    assert not wrong, wrong
    assert found["bad requests answered 4xx"].n == COUNT and found["bad pictures refused"].n == COUNT // 10


@pytest.mark.parametrize(
    ("path", "row"),
    [
        pytest.param(path, row, id=f"{path.rpartition('/')[2]}-{row.name}-{row.told}-{number}")
        for path, rows in ROWS.items()
        for number, row in enumerate(rows)
    ],
)
def test_each_wrong_value_is_named_with_what_is_allowed(server: Running, path: str, row: Wrong) -> None:
    for value in row.values:
        body = body_of(random.Random(0), path)
        body.update(row.also)
        put(body, row.place, value)
        outcome = outcome_of(server, send("a wrong field", path, body, {row.name: row.told}))
        assert outcome.is_4xx and outcome.named == row.name and outcome.says_limit, (value, outcome.answer.body[:500])


def outcome_of(server: Running, sent: Sent) -> Outcome:
    headers = {"Content-Type": str(sent.content_type)}
    return Outcome(sent=sent, answer=Asker(server.port).ask("POST", sent.path, sent.content, headers))


@pytest.mark.parametrize("path", ROUTES)
def test_what_is_made_wrong_is_right_before(server: Running, path: str) -> None:
    for seed in range(5):
        assert outcome_of(server, send("right", path, body_of(random.Random(seed), path))).answer.status == 200


def test_each_kind_of_bad_picture_is_refused(server: Running) -> None:
    for one in bad_pictures(random.Random(1), 4 * len(KINDS)):
        outcome = outcome_of(server, one)
        assert outcome.is_refused, (one.kind, one.path, outcome.answer.body[:500])


def test_a_form_without_its_end_is_refused(server: Running) -> None:
    """Else its last field is dropped in silence, and that may be `safety[safety]`."""
    texts = [(name, str(value)) for name, value in CHEAP_EDIT.items()]
    whole = form([("image", File(content=good_picture(random.Random(0)))), *texts, ("safety[safety]", "max")])
    complete = Sent(kind="whole", path=EDITS, content=whole, content_type=FORM)
    assert outcome_of(server, complete).answer.status == 200
    for end in (3, 4, 30, 36, 39, 41, 60, 90):
        sent = Sent(kind="cut", path=EDITS, content=whole[:-end], content_type=FORM)
        outcome = outcome_of(server, sent)
        assert outcome.is_refused, (whole[-end - 40 : -end], outcome.answer.body[:300])


def test_what_is_not_right_is_counted() -> None:
    def error(param: str | None, message: str, status: int = 400) -> Answer:
        told = {"message": message, "type": "invalid_request_error", "param": param, "code": "invalid_value"}
        return Answer(status=status, body=json.dumps({"error": told}).encode())

    sent = Sent(kind="a", path=GENERATIONS, content=b"", wrong={"n": "1..10"})
    right = Outcome(sent=sent, answer=error("n", "n: got '11'; allowed: 1..10"))
    assert right.is_refused and right.named == "n" and right.says_limit and right.is_without_effect
    for answer in (
        error("size", "size: got '11'; allowed: 1..10"), error(None, "allowed: 1..10"), error("n", "allowed: 1..10"),
        error("n.int", "n.int: allowed: 1..10"), Answer(status=400, body=b"n: allowed: 1..10"),
    ):  # fmt: skip
        assert Outcome(sent=sent, answer=answer).named is None
    assert not Outcome(sent=sent, answer=error("n", "n: wrong")).says_limit
    drawn = Outcome(sent=sent, answer=Answer(status=200, body=b"{}"), connected=True, wrote=True)
    failed = Outcome(sent=sent, answer=error("n", "n: allowed: 1..10", status=503))
    for one in (drawn, failed, Outcome(sent=sent, answer=Answer(status=0))):
        assert not one.is_refused and not one.is_4xx and not one.is_without_effect
    groups = {name: [drawn] for name in ("bad", "valid", "pictures", "addresses", "texts", "names")}
    found = {name: figure.value for name, figure in figures(groups).items() if not name.startswith("not so")}
    assert found["bad requests answered 4xx"] == found["addresses refused"] == found["bad pictures refused"] == 0
    assert found["connections"] == found["files"] == 1
    guarded = Sent(kind="a", path=GUARDRAIL, content=b"")
    assert Outcome(sent=guarded, answer=Answer(status=200, body=b'{"action": "BLOCKED"}')).is_refused
    assert not Outcome(sent=guarded, answer=Answer(status=200, body=b'{"action": "NONE"}')).is_refused


def test_the_audit_sees_other_threads_and_the_bait_who_takes_it(tmp_path: Path) -> None:
    def connect() -> None:
        socket.create_connection(("127.0.0.1", bait.port)).close()

    with Bait() as bait, Audit(MARKER) as audit:
        for work, seen in (
            (connect, "network"), (lambda: (tmp_path / "a").write_bytes(b""), "files"), (bait.file.read_bytes, "files"),
            ((tmp_path / "b").mkdir, "files"), (lambda: (tmp_path / "a").rename(tmp_path / "c"), "files"),
        ):  # fmt: skip
            audit.seen.clear()
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            assert seen in audit.seen
        assert bait.taken and not bait.taken
        audit.seen.clear()
        (tmp_path / "d").write_bytes(b"")  # the asker's own
        connect()
        thread = threading.Thread(target=Path(__file__).read_bytes)
        thread.start()
        thread.join()
        assert audit.seen == []


def test_the_same_seed_sends_the_same_and_all_routes_get_their_part() -> None:
    with Bait() as bait:
        for make in (bad_requests, bad_pictures, valid_requests, file_names, lambda *a: addresses(*a, bait)):
            assert make(random.Random(5), 60) == make(random.Random(5), 60)
    paths = [one.path for one in bad_requests(random.Random(0), 400)]
    assert {path: paths.count(path) for path in ROUTES} == dict.fromkeys(ROUTES, 100)
