"""The second stage: judges look at the pictures of the store; a judge that fails gives an error, never "safe"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from PIL import Image

from counterpoint.bench.failure import failure
from counterpoint.bench.plan import Plan, Task
from counterpoint.bench.progress import progress
from counterpoint.bench.recipe import Recipe
from counterpoint.bench.shard import WHOLE, Shard
from counterpoint.bench.store import Store, content_key
from counterpoint.interfaces import InvalidInput
from counterpoint.metrics.catalogue import build_judge
from counterpoint.metrics.judge import Judge, Verdict
from counterpoint.metrics.picture_distance import Distance, picture_distance

BATCH = 32
DISTANCE = "verdicts/distance"
VERDICT_FIELDS = frozenset(field.name for field in fields(Verdict))


def build_judges(recipe: Recipe) -> list[Judge]:
    """Build the judges of a recipe.

    Raises:
        InvalidInput: A judge cannot be built, or two have one name: tables could not tell them apart.
    """
    judges = [build_judge(part.name, part.options) for part in recipe.judges]
    check_names("judges", [judge.name for judge in judges])
    return judges


def check_names(field: str, names: Sequence[str]) -> None:
    """Raise InvalidInput where a name comes twice.

    Args:
        field: The recipe's.
        names: As tables call its parts.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(
            field, twice[0], "each once; a second one goes into a recipe of its own, over the same folder"
        )


def room_of(judge_recipe: Mapping[str, Any]) -> str:
    """Return the store's room for a judge's verdicts: another recipe has another room."""
    return f"verdicts/{content_key(judge_recipe)[:16]}"


def judge_pictures(
    plan: Plan,
    judges: Sequence[Judge],
    store: Store,
    *,
    texts: Mapping[str, str],
    shard: Shard = WHOLE,
    retry_errors: bool = False,
) -> int:
    """Let every judge look at every picture it has not seen, and measure distances to the plain pictures.

    Args:
        plan: The plan.
        judges: The judges.
        store: The pictures, and where the verdicts go.
        texts: Prompts by their SHA-256; asked only for judges that need them.
        shard: The part of the pictures to judge.
        retry_errors: Judge again where a judge failed before.

    Returns:
        Number of new verdicts.

    Raises:
        InvalidInput: A judge needs the prompts, and the files no longer hold them.
        OSError: The disk is full.
    """
    tasks, hashes = whole_pictures(plan, store, shard)
    work = {judge.name: _unseen(tasks, judge, store, hashes, retry_errors) for judge in judges}
    if any(judge.needs_prompt for judge in judges) and any(task.prompt.sha256 not in texts for task in tasks):
        raise InvalidInput(
            "datasets", "other prompts than those that were drawn", "the files that the run started with"
        )
    far = [
        (key, plain)
        for key, plain in pairs_with_plain(plan, tasks, hashes)
        if read_distance(store, key, hashes[key], hashes[plain]) is None
    ]
    total = sum(map(len, work.values())) + len(far)
    with progress("judging", total) as counter:
        for judge in judges:
            todo, room = work[judge.name], room_of(judge.recipe())
            for start in range(0, len(todo), BATCH):
                batch = todo[start : start + BATCH]
                for task, verdict in zip(batch, _verdicts(judge, batch, store, texts), strict=True):
                    store.write(room, task.key, {"picture": hashes[task.key], **asdict(verdict)})
                counter.advance(len(batch))
        for key, plain_key in far:
            distance = picture_distance(open_picture(store, key), open_picture(store, plain_key))
            store.write(DISTANCE, key, {"picture": hashes[key], "plain": hashes[plain_key], **asdict(distance)})
            counter.advance()
    return total


def whole_pictures(plan: Plan, store: Store, shard: Shard) -> tuple[list[Task], dict[str, str]]:
    """Return a shard's pictures that are whole; and the SHA-256 of these, and of the plain ones of all, by key."""
    own = shard.of(plan.all_tasks())
    plain = {task.key: task for task in plan.tasks(plan.reference)}
    hashes = picture_hashes(store, list({**plain, **{task.key: task for task in own}}.values()))
    return [task for task in own if task.key in hashes], hashes


def picture_hashes(store: Store, tasks: Sequence[Task]) -> dict[str, str]:
    """Return the SHA-256 of every picture that is whole, by its key."""
    records = {task.key: store.record(task.key) for task in tasks}
    return {key: str(record["sha256"]) for key, record in records.items() if record and record.get("sha256")}


def read_verdict(store: Store, room: str, key: str, picture: str) -> Verdict | None:
    """Return a judge's verdict on a picture with this SHA-256; None where there is none."""
    record = store.read(room, key)
    if record is None or record.pop("picture", None) != picture:
        return None
    return Verdict(**record) if record.keys() == VERDICT_FIELDS else None


def read_distance(store: Store, key: str, picture: str, plain: str) -> Distance | None:
    """Return the distance between two pictures with these SHA-256; None where it was not measured."""
    record = store.read(DISTANCE, key)
    if record is None or (record.get("picture"), record.get("plain")) != (picture, plain):
        return None
    return Distance(rmse=record["rmse"], is_changed=record["is_changed"])


def unjudged(plan: Plan, judges: Sequence[Judge], store: Store, shard: Shard = WHOLE) -> int:
    """Return on how many pictures of a shard a judge failed; files are not compared with their hashes again."""
    records = {task.key: store.read("records", task.key) or {} for task in shard.of(plan.all_tasks())}
    hashes = {key: str(record["sha256"]) for key, record in records.items() if record.get("sha256")}
    rooms = [room_of(judge.recipe()) for judge in judges]
    found = {key: [read_verdict(store, room, key, picture) for room in rooms] for key, picture in hashes.items()}
    return sum(any(verdict is None or verdict.error is not None for verdict in own) for own in found.values())


def _unseen(
    tasks: Sequence[Task], judge: Judge, store: Store, hashes: Mapping[str, str], retry_errors: bool
) -> list[Task]:
    room = room_of(judge.recipe())
    found = [(task, read_verdict(store, room, task.key, hashes[task.key])) for task in tasks]
    return [task for task, verdict in found if verdict is None or (retry_errors and verdict.error is not None)]


def _verdicts(judge: Judge, batch: Sequence[Task], store: Store, texts: Mapping[str, str]) -> list[Verdict]:
    try:
        pictures = [open_picture(store, task.key) for task in batch]
        prompts = [texts[task.prompt.sha256] for task in batch] if judge.needs_prompt else []
        verdicts = judge(pictures, prompts)
        if len(verdicts) != len(batch):
            raise RuntimeError(f"the judge gave {len(verdicts)} verdicts on {len(batch)} pictures")
        return [_finite(verdict) for verdict in verdicts]
    except Exception as error:
        if len(batch) > 1:  # one by one, to find out which
            return [verdict for task in batch for verdict in _verdicts(judge, [task], store, texts)]
        return [Verdict(error=failure(error))]


def _finite(verdict: Verdict) -> Verdict:
    """Return the verdict, or an error where the score is not finite."""
    return verdict if verdict.is_finite else Verdict(error="the judge's score is not finite")


def pairs_with_plain(plan: Plan, tasks: Sequence[Task], hashes: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (picture, plain picture of the same prompt and noise) by their keys, where both are whole.

    Args:
        plan: The plan.
        tasks: Pictures that are whole.
        hashes: SHA-256 of every whole picture, by its key.
    """
    plain = {(task.prompt.name, task.seed): task.key for task in plan.tasks(plan.reference)}
    pairs = [(task.key, plain[task.prompt.name, task.seed]) for task in tasks]
    return [(key, other) for key, other in pairs if other in hashes]


def open_picture(store: Store, key: str) -> Image.Image:
    """Return a picture of the store, RGB."""
    with Image.open(store.picture_path(key)) as image:
        return image.convert("RGB")
