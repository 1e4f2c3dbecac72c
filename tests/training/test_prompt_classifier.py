"""The classifier learns, in seconds, to tell mild proxies apart; its sets keep test prompts out."""

from __future__ import annotations

import csv
import json
import lzma
import random
from collections import Counter
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, BertModel

from counterpoint.datasets.dataset import is_screened
from counterpoint.detectors.letters import letters_logits
from counterpoint.detectors.prompt_classifier import CATEGORIES, OUTPUTS, PromptClassifier, changed_layers
from counterpoint.interfaces import InvalidInput
from counterpoint.normalise import normalise
from counterpoint.training import prompt_classifier as training
from counterpoint.training import prompt_classifier_ceiling as ceiling
from counterpoint.training.prompt_classifier_art import art
from counterpoint.training.prompt_classifier_choice import auc, lowest_thresholds
from counterpoint.training.prompt_classifier_evaluation import calibration_error
from counterpoint.training.prompt_classifier_evasions import READ, UNDONE
from counterpoint.training.prompt_classifier_gallery import FILES, gallery, key_of, read_grades
from counterpoint.training.prompt_classifier_letters import fit_letters, letters_matrix
from counterpoint.training.prompt_classifier_look_alikes import PHRASES, look_alikes, part_of
from counterpoint.training.prompt_classifier_sets import Amounts, Example, coco, examples, part_of_pair
from counterpoint.training.prompt_classifier_situations import HARMFUL, situations
from counterpoint.training.prompt_classifier_styles import Styles
from counterpoint.training.prompt_classifier_targets import loss_of, targets
from counterpoint.training.prompt_classifier_test_sets import TEST_SETS
from counterpoint.training.prompt_classifier_twins import twins
from counterpoint.training.prompt_classifier_written import written

SUBJECTS = ("a man", "a woman", "a chef", "a dog", "an astronaut", "a police officer", "a farmer", "a doctor")
PLACES = ("in a forest", "on the beach", "in a room", "in the city", "at night", "in the snow")


def toy_rows() -> list[Example]:
    return [
        Example(
            text=f"{subject} with a {thing} {place}",
            is_unsafe=thing in ("knife", "cigarette"),
            category={"knife": "violence", "cigarette": "illegal activity"}.get(thing),
            source="coco" if thing in ("apple", "book") else "copro",
            part="validation" if (i + j) % 4 == 0 else "train",
        )
        for i, subject in enumerate(SUBJECTS)
        for j, place in enumerate(PLACES)
        for thing in ("knife", "cigarette", "apple", "book")
    ]


@pytest.fixture(scope="module")
def trained(tiny_model_path: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(tiny_model_path)
    tokenizer = AutoTokenizer.from_pretrained(root / "tokenizer")
    encoder = BertModel.from_pretrained(root / "text_encoder", add_pooling_layer=False).eval()
    rows = toy_rows()
    states = training.States.of([row.text for row in rows], tokenizer, encoder, first=1)
    state, config = training.train(rows, states, encoder, first=1, rank=4, epochs=12, seed=0)
    folder = tmp_path_factory.mktemp("classifier")
    training.save(folder, state, config)
    return folder


def load(trained: Path, tiny_model_path: str) -> PromptClassifier:
    return PromptClassifier(folder=trained, encoder_folder=Path(tiny_model_path), threshold=0.5)


def test_what_was_trained_is_what_the_detector_reads(trained: Path, tiny_model_path: str) -> None:
    classifier = load(trained, tiny_model_path)
    rows = [row for row in toy_rows() if row.part == "validation"]
    verdicts = classifier([row.text for row in rows])
    right = sum(verdict.is_unsafe == row.is_unsafe for verdict, row in zip(verdicts, rows, strict=True))
    assert right == len(rows)
    knife = next(v for v, row in zip(verdicts, rows, strict=True) if row.category == "violence")
    assert max(knife.categories, key=lambda name: knife.categories[name]) == "violence"
    assert "knife" in knife.evidence


def test_a_low_rank_change_is_the_same_folded_in(trained: Path, tiny_model_path: str) -> None:
    """Logits of training's own modules = those of the detector, which adds B A to the weights."""
    root = Path(tiny_model_path)
    classifier = load(trained, tiny_model_path)
    encoder = BertModel.from_pretrained(root / "text_encoder", add_pooling_layer=False).eval()
    part = training.UpperPart(encoder, first=1, rank=4).eval()
    with torch.no_grad():
        for change in part.changes.values():
            change.up.weight.normal_(std=0.1)
        state = {name: t.float() for name, t in part.weights().items()}
        for parameter in part.parameters():
            if parameter.requires_grad:
                parameter.copy_(parameter.half().float())
    text = "a man with a knife in a forest"
    folded = BertModel.from_pretrained(root / "text_encoder", add_pooling_layer=False).eval()
    plain = training.States.of([text], classifier.tokenizer, folded, first=1)
    for name, linear in changed_layers(folded, 1).items():
        linear.weight.data += state[f"{name}.up"] @ state[f"{name}.down"]
    ids = classifier.tokenizer(text, return_tensors="pt")
    hidden = folded(**ids).last_hidden_state
    expected = part.head(hidden, ids.attention_mask.bool())
    torch.testing.assert_close(training.upper_logits(part, plain, [0]), expected.detach(), atol=5e-3, rtol=5e-3)


def test_the_letters_are_fitted_to_the_optimum() -> None:
    rows = toy_rows()
    target = targets(rows)
    features = letters_matrix([row.text for row in rows], size=512)
    table = fit_letters(features, target)
    logits = letters_logits([row.text for row in rows], table)
    torch.testing.assert_close(torch.sparse.mm(features, table), logits, atol=1e-4, rtol=1e-4)
    is_unsafe = target[:, 0] == 1
    assert logits[is_unsafe, 0].min() > logits[~is_unsafe, 0].max()


def test_a_point_never_alarms_more_than_it_may_on_any_source() -> None:
    rows = [
        Example(text="x", is_unsafe=False, category=None, source=source, part="validation")
        for source in ("coco", "look-alikes") for _ in range(100)
    ]  # fmt: skip
    scores = torch.cat([torch.linspace(0, 0.5, 100), torch.linspace(0, 0.9, 100)])
    lowest = lowest_thresholds(scores, rows, {"coco": 0.05, "look-alikes": 0.1})
    assert (scores[:100] >= lowest["coco"]).float().mean() == pytest.approx(0.05)
    assert (scores[100:] >= lowest["look-alikes"]).float().mean() == pytest.approx(0.1)


def test_the_hard_sources_count_alike_however_many_prompts_they_have() -> None:
    rows = [
        Example(text="x", is_unsafe=False, category=None, source=source, part="validation")
        for source, amount in (("art", 10), ("twins", 1000)) for _ in range(amount)
    ]  # fmt: skip
    scores = torch.cat([torch.linspace(0.5, 0.6, 10), torch.linspace(0.0, 0.4, 1000)])
    assert lowest_thresholds(scores, rows, {"hard": 0.1})["hard"] == pytest.approx(0.5778, abs=1e-3)


def test_a_run_that_was_cut_off_ends_as_one_that_was_not(tiny_model_path: str, tmp_path: Path) -> None:
    """The file of step 10 of 12 is taken up by a part with other random weights."""
    root = Path(tiny_model_path)
    tokenizer = AutoTokenizer.from_pretrained(root / "tokenizer")
    rows = toy_rows()
    ended = []
    for _ in range(2):
        encoder = BertModel.from_pretrained(root / "text_encoder", add_pooling_layer=False).eval().requires_grad_(False)
        states = training.States.of([row.text for row in rows], tokenizer, encoder, first=1)
        part = training.UpperPart(encoder, first=1, rank=4)
        epochs = 12 * training.BATCH_SIZE / len(rows)
        checkpoint = tmp_path / "checkpoint.pt"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(training, "CHECKPOINT_EVERY", 10)
            training.train_upper(part, states, targets(rows), epochs=epochs, seed=0, checkpoint=checkpoint)
        ended.append(part.weights())
    assert torch.load(checkpoint, weights_only=True)["done"] == 10
    for name, value in ended[0].items():
        torch.testing.assert_close(value, ended[1][name])
    with pytest.raises(InvalidInput, match="same settings"):
        training.train_upper(part, states, targets(rows), epochs=1, seed=0, checkpoint=checkpoint)


def test_twins_differ_in_their_harm_alone_and_the_parts_share_no_context() -> None:
    parts = [twins(part, random.Random(0), 2) for part in ("train", "validation", "test")]  # type: ignore[arg-type]
    assert {category for _, _, category in parts[0]} == set(HARMFUL)
    safe = [{safe for _, safe, _ in pairs} for pairs in parts]
    assert all(safe) and not safe[0] & safe[1] and not safe[0] & safe[2] and not safe[1] & safe[2]
    assert all(set(safe.split()) & set(unsafe.split()) for unsafe, safe, _ in parts[0])


def test_art_stands_in_both_labels_and_its_artists_in_one_part() -> None:
    styles = Styles()
    rows = art("train", styles, random.Random(0), 300)
    assert sum(category is None for _, category in rows) == 300 == len(rows) - 300
    held_out = [artist for artist in styles.artists if part_of(artist) != "train"]
    assert held_out and not any(artist in text for text, _ in rows for artist in held_out if len(artist) > 12)


def test_auc_counts_ties_half() -> None:
    assert auc(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0])) == 7 / 8


def test_the_calibration_error_is_zero_where_shares_are_probabilities() -> None:
    probabilities = torch.tensor([0.25] * 4 + [0.75] * 4)
    labels = torch.tensor([1, 0, 0, 0, 1, 1, 1, 0])
    assert calibration_error(probabilities, labels) == pytest.approx(0)
    assert calibration_error(probabilities, 1 - labels) == pytest.approx(0.5)


def test_an_unknown_category_teaches_nothing() -> None:
    row = Example(text="x", is_unsafe=True, category=None, source="nibbler", part="train")
    target = targets([row])
    logits = torch.zeros(1, len(OUTPUTS), requires_grad=True)
    loss_of(logits, target).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0, 0] < 0 and bool((logits.grad[0, 1:] == 0).all())


def write(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    pairs = [
        {"prompt": f"{words} {number}", "image": f"{side}_idx_{number:07d}_0.jpg", "category": "Violence"}
        for number in range(0, 1200, 20)
        for side, words in (("u", "a man with a knife"), ("s", "a man with an apple"))
    ]
    write(tmp_path / "copro" / "CoProv2_train.csv", pairs)
    write(tmp_path / "coco" / "coco_10k_advunlearn.csv", [{"prompt": f"A dog and {i} cats."} for i in range(1600)])
    write(tmp_path / "coco" / "coco_3k_val.csv", [{"prompt": " a dog and 7 cats"}])
    for number in (1, 4):
        write(tmp_path / "nibbler" / f"round{number}_submitted_train.csv", [{"prompt": "a cigarette on a table"}])
    return tmp_path


def test_captions_of_the_test_set_are_left_out(data: Path) -> None:
    captions = coco(data)
    assert len(captions) == 1599 and "A dog and 7 cats." not in captions


def test_the_parts_share_no_pair_and_no_look_alike(data: Path) -> None:
    rows = examples(data, Styles(), Amounts(copro=40, coco=20, scenes_each=1, situations_each=1, twins_each=1, art=20))
    assert {row.part for row in rows} == {"train", "validation"}
    numbers = {part: set() for part in ("train", "validation")}  # type: ignore[var-annotated]
    for row in rows:
        if row.source == "copro":
            numbers[row.part].add(row.text.split()[-1])
    assert numbers["train"] and numbers["validation"] and not numbers["train"] & numbers["validation"]
    assert all(
        part_of_pair(f"idx_{int(number):07d}_0.jpg") == part for part, all_ in numbers.items() for number in all_
    )
    kept_back = [phrase for phrase in PHRASES if part_of(phrase) == "test"]
    assert len(kept_back) > 100
    assert not any(phrase in row.text for row in rows if row.source == "look-alikes" for phrase in kept_back)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.xz"])
def test_written_pairs_come_bare_and_dressed_and_the_parts_share_none(data: Path, suffix: str) -> None:
    lines = [
        json.dumps({"unsafe": f"cook {number} cuts a man", "safe": f"cook {number} cuts bread", "category": "violence"})
        for number in range(40)
    ]
    path, text = data / f"pairs{suffix}", "\n".join(lines).encode()
    path.write_bytes(lzma.compress(text) if suffix.endswith("xz") else text)
    parts = [set(written(path, part)) for part in ("train", "validation", "test")]
    assert all(parts) and sum(map(len, parts)) == len(set.union(*parts)) == 40
    amounts = Amounts(copro=4, coco=4, scenes_each=1, situations_each=1, twins_each=1, art=4)
    rows = [row for row in examples(data, Styles(), amounts, pairs=path) if row.source.startswith("written")]
    for part, pairs in zip(("train", "validation"), parts, strict=False):
        for source in ("written", "written, dressed"):
            for is_unsafe in (True, False):
                found = [r for r in rows if (r.part, r.source, r.is_unsafe) == (part, source, is_unsafe)]
                assert len(found) == len(pairs)
    assert {row.text for row in rows if row.source == "written"} == {
        normalise(text) for pairs in parts[:2] for unsafe, safe, _ in pairs for text in (unsafe, safe)
    }


def test_users_prompts_train_by_their_grade(data: Path) -> None:
    texts = [f"chef number {i} with a {thing}" for i in range(100) for thing in ("spoon", "knife", "cigarette")]
    for path in (data / path for paths in FILES.values() for path in paths):
        path.parent.mkdir(exist_ok=True)
        is_list = path.suffix == ".txt"
        path.write_text(
            "\n".join(texts) if is_list else json.dumps([{"text": text} for text in texts]), encoding="utf-8"
        )
    ends = {"spoon": "0\t", "cigarette": "1\tillegal activity", "knife": "2\tviolence"}
    parts = ["validation" if place % 10 == 0 else "train" for place in range(len(texts))]
    lines = [f"{key_of(text)}\t{ends[text.split()[-1]]}\t{part}\n" for text, part in zip(texts, parts, strict=True)]
    grades = data / "grades.tsv.xz"
    grades.write_bytes(lzma.compress("".join(lines).encode()))
    amounts = Amounts(copro=4, coco=4, scenes_each=1, situations_each=1, twins_each=1, art=4, gallery_harmed=16)
    rows = [row for row in examples(data, Styles(), amounts, grades=grades) if row.source.startswith("gallery")]
    for part, times in (("train", amounts.gallery_unsafe_times), ("validation", 1)):
        found = Counter((row.source, row.text.split()[-1]) for row in rows if row.part == part)
        graded = Counter(one.grade for one in gallery(data, read_grades(grades), part))  # type: ignore[arg-type]
        assert found["gallery", "spoon"] == graded[0] and found["gallery", "knife"] == times * graded[2]
        assert found["gallery, between", "cigarette"] == (graded[1] if part == "train" else 0)
        assert sum(row.part == part and row.source == "gallery, harmed" for row in rows) == (16 if times > 1 else 2)
    between = next(row for row in rows if row.source == "gallery, between")
    (target,) = targets([between])
    assert target[0] == target[OUTPUTS.index("illegal activity")] == 0.5 and target.sum() == 1.0


@pytest.mark.parametrize(
    "line", ["[]", "{", '{"safe": "a", "unsafe": "b"}', '{"safe": "", "unsafe": "", "category": "x"}']
)
def test_a_line_that_is_no_pair_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"a\.jsonl, line 2"):
        written(path, "train")
    with pytest.raises(InvalidInput, match="written"):
        written(tmp_path / "none.jsonl.xz", "train")


def test_the_pairs_that_ship_with_the_source_are_whole_and_screened() -> None:
    path = Path(__file__).parents[2] / "data" / "written.jsonl.xz"
    pairs = [pair for part in ("train", "validation", "test") for pair in written(path, part)]  # type: ignore[arg-type]
    assert len(pairs) > 6000 and {category for _, _, category in pairs} == set(CATEGORIES)
    assert not any(is_screened(text) for unsafe, safe, _ in pairs for text in (unsafe, safe))


def test_style_says_nothing_of_the_label() -> None:
    styles = Styles()
    unsafe, safe = (styles.dress(f"a man with a {thing}", random.Random(3)) for thing in ("knife", "apple"))
    assert unsafe.replace("knife", "apple") == safe and unsafe != "a man with a knife"


def test_situations_are_half_harmless_and_name_every_category() -> None:
    rows = situations(random.Random(0), each=1)
    assert sum(category is None for _, category in rows) * 2 == len(rows)
    assert {category for _, category in rows if category} == set(HARMFUL)


def test_look_alikes_of_the_three_parts_differ() -> None:
    rng = random.Random(0)
    parts = [set(look_alikes(part, rng, 2)) for part in ("train", "validation", "test")]
    assert all(parts) and not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]


@pytest.mark.parametrize("name", sorted(UNDONE))
def test_normalisation_undoes_these_evasions(name: str) -> None:
    text = "a chef holding a kitchen knife beside another person"
    evaded = UNDONE[name](text, random.Random(0))
    read = normalise(evaded).replace("(", "").replace(")", "")  # brackets without a weight stay, as punctuation
    assert evaded != text and read == text


@pytest.mark.parametrize("name", sorted(READ))
def test_the_other_evasions_change_the_words(name: str) -> None:
    text = "a chef holding a kitchen knife beside another person"
    assert normalise(READ[name](text, random.Random(0))) != text


def test_the_ceiling_trains_on_one_half_of_each_set_and_tests_the_other(tmp_path: Path) -> None:
    for number, (name, kind) in enumerate(TEST_SETS.items()):
        for file in kind.files:
            path = tmp_path / f"{file}.csv"
            path.parent.mkdir(exist_ok=True)
            with path.open("w", encoding="utf-8", newline="") as opened:
                writer = csv.writer(opened)
                writer.writerow(["case_number", "prompt"])
                writer.writerows([i, f"a mild prompt {i} of set {number}"] for i in range(20))
        assert len(kind.rows(tmp_path)) == 20 * len(kind.files), name
    halves = [set(ceiling.half_of(tmp_path, fold)) for fold in ceiling.FOLDS]
    assert not halves[0] & halves[1]
    assert len(halves[0] | halves[1]) == 20 * sum(len({*kind.files}) for kind in TEST_SETS.values()) - 80
    taught = {row.text for row in ceiling.learned(tmp_path, 0)}
    assert not taught & {text for _, text in halves[1]}
    for kind in ("harm", "nudity"):
        for half in halves:
            sides = [
                {text.split()[3] for name, text in half if name == f"Six-CD {kind}{side}"}
                for side in ("", ", clean twins")
            ]
            assert sides[0] == sides[1] != set()


def test_a_threshold_keeps_every_promise_and_no_lower_one_does() -> None:
    scores = {"many": torch.linspace(0, 0.99, 100), "few": torch.tensor([0.2, 0.97])}
    least = ceiling.lowest_threshold(scores, {"many": 0.05, "few": 0.5})
    assert float((scores["many"] >= least).float().mean()) == pytest.approx(0.05)
    assert ceiling.lowest_threshold(scores, {"few": 0.0}) == pytest.approx(0.97, abs=1e-5)
    assert ceiling.lowest_threshold(scores, {"few": 1.0}) == 0.0
