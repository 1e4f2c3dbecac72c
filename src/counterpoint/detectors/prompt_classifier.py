"""The shipped classifier: does a prompt ask for harm, in which of I2P's seven categories?

Two views, joined: the meaning, by the embedded model's text encoder (MiniLM) with low-rank changes to
its last layers; and the letters, by hashed words and parts of words.

    logit_k = a_k meaning_k + b_k letters_k + c_k          probability_k = 1 / (1 + exp(-logit_k))
    meaning_k = sum_t softmax_t(q_k . h_t) (v_k . h_t)     over all tokens t of a window

Words that say only who people are are not read, see `groups`; but a text that is harm for sure with them stays harm:
hate may lie in the group that is named. A long prompt is read whole, in windows that overlap; so is what a person may
read in it besides ("kn1fe", "k n i f e"). The largest probability counts. a, b and c are fitted on validation prompts,
so that the probabilities are calibrated there. Training: docs/classifier.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, get_args

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from counterpoint.detectors.bert import Bert
from counterpoint.detectors.english import FUNCTION_WORDS
from counterpoint.detectors.groups import without_groups
from counterpoint.detectors.letters import WORD, letters_logits
from counterpoint.detectors.other_reading import other_reading
from counterpoint.embedded import embedded_model_path
from counterpoint.interfaces import Detection, InvalidInput, Point
from counterpoint.normalise import normalise
from counterpoint.normalise.weights import unbracketed
from counterpoint.normalise.words import read

CATEGORIES = ("hate", "harassment", "violence", "self-harm", "sexual", "shocking", "illegal activity")
"""The seven of I2P (Schramowski et al., arXiv:2211.05105)."""
OVERALL = "overall"
OUTPUTS = (OVERALL, *CATEGORIES)
WEIGHTS_PATH = Path(__file__).parents[1] / "classifier_weights"
WINDOW = 32
"""Tokens of one window, besides the two special ones: in a longer one, few words of harm would be thinned out."""
STRIDE = 24
"""Tokens from the start of one window to that of the next."""
BATCH_SIZE = 256
MOST_EVIDENCE = 4
CALM = 0.5
"""Share of the threshold below which the words that are left tell of no harm."""
SURE = 0.98
"""Probability from which a text is harm as it was typed, whatever a reading without groups says."""


def classifier_path() -> Path:
    """Return the folder of the shipped weights.

    Raises:
        InvalidInput: This build of the package carries none.
    """
    if not (WEIGHTS_PATH / "config.json").is_file():
        raise InvalidInput("classifier", str(WEIGHTS_PATH), "a build with weights; train them: docs/classifier.md")
    return WEIGHTS_PATH


# --- the meaning -----------------------------------------------------------------------------------------------------


class Head(nn.Module):
    """Attention pooling, one query and one value an output: (B, L, D), mask (B, L) -> logits (B, outputs)."""

    def __init__(self, width: int, outputs: int = len(OUTPUTS)) -> None:
        super().__init__()
        self.query = nn.Linear(width, outputs, bias=False)
        self.value = nn.Linear(width, outputs)
        nn.init.zeros_(self.query.weight)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return the logits."""
        return self.parts(hidden, mask).sum(1)

    def parts(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return what each token adds to each logit, (B, L, outputs); it sums to the logits."""
        attention = self.query(hidden).masked_fill(~mask[..., None], -torch.inf).softmax(1)
        parts: Tensor = attention * self.value(hidden)
        return parts


def changed_layers(encoder: Any, first: int) -> dict[str, nn.Linear]:
    """Return the linear maps, by name, of the layers of a BERT from `first` on: those that are changed."""
    return {
        f"{number}.{name}": module
        for number, layer in enumerate(encoder.encoder.layer)
        if number >= first
        for name, module in layer.named_modules()
        if isinstance(module, nn.Linear)
    }


# --- the reading -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """One window of one prompt."""

    prompt: int
    text: str
    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    """Where each of the tokens stands in `text`; special ones at (0, 0)."""


@dataclass(frozen=True)
class Judged:
    """A window, and what each of its tokens adds to the overall logit of the meaning."""

    window: Window
    parts: Tensor
    """(tokens,), special ones included."""


def windows(texts: Sequence[tuple[int, str]], tokenizer: Any) -> list[Window]:
    """Return the windows of (prompt number, text) pairs, one pair at least: all tokens, `WINDOW` at a time."""
    tokens = tokenizer(
        [text for _, text in texts], add_special_tokens=False, return_offsets_mapping=True, truncation=False,
        verbose=False,
    )  # fmt: skip
    found = []
    for (prompt, text), ids, spans in zip(texts, tokens["input_ids"], tokens["offset_mapping"], strict=True):
        for start in range(0, max(1, len(ids) - WINDOW + STRIDE), STRIDE):
            part = spans[start : start + WINDOW]
            low, high = (part[0][0], part[-1][1]) if part else (0, 0)
            found.append(
                Window(
                    prompt,
                    text[low:high],
                    (tokenizer.cls_token_id, *ids[start : start + WINDOW], tokenizer.sep_token_id),
                    ((0, 0), *((a - low, b - low) for a, b in part), (0, 0)),
                )
            )
    return found


# --- the detector ----------------------------------------------------------------------------------------------------


class PromptClassifier:
    """Gate by the shipped classifier.

    Three working points are stored with the weights. "steer" casts a wide net, which a nudged picture can bear;
    "balanced", the standard gate's, alarms on about one in ten harmless prompts of users; "block" is for refusing,
    where a false alarm costs much.

    Args:
        point: Which of them decides.
        threshold: Probability, 0..1, from which a prompt is unsafe; None = that of `point`.
        folder: Weights to load; None = the shipped ones.
        encoder_folder: The text encoder and tokenizer that they change, as subfolders `text_encoder` and
            `tokenizer`; None = those of the embedded model.

    Raises:
        InvalidInput: A point, a threshold or a folder is not what it must be.
    """

    def __init__(
        self,
        *,
        point: Point = "steer",
        threshold: float | None = None,
        folder: Path | None = None,
        encoder_folder: Path | None = None,
    ) -> None:
        if point not in get_args(Point):
            raise InvalidInput("point", point, ", ".join(get_args(Point)))
        if threshold is not None and not 0.0 <= threshold <= 1.0:
            raise InvalidInput("threshold", threshold, "a probability, 0..1")
        folder = folder or classifier_path()
        if not (folder / "config.json").is_file():
            raise InvalidInput("folder", str(folder), "a folder with config.json and model.safetensors")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        state = load_file(folder / "model.safetensors")
        self.point = point
        self.thresholds: dict[Point, float] = {name: float(at["threshold"]) for name, at in config["points"].items()}
        self.threshold = self.thresholds[point] if threshold is None else threshold
        self.table = state["letters"]
        self.join = {name: state[f"join.{name}"].float() for name in ("meaning", "letters", "bias")}
        root = encoder_folder or Path(embedded_model_path())
        self.tokenizer, self.encoder = _changed_encoder(root, state, int(config["first_changed_layer"]))
        self.head = Head(self.encoder.width)
        self.head.load_state_dict({n.removeprefix("head."): t.float() for n, t in state.items() if "head." in n})
        self.head.eval().requires_grad_(False)
        self._one_at_a_time = Lock()  # a tokenizer cannot be used by two threads

    def at(self, point: Point) -> PromptClassifier:
        """Return this classifier at another point; both share the weights and the lock, nothing is loaded again.

        A `threshold` of its own is not taken along.

        Raises:
            InvalidInput: No such point.
        """
        if point not in self.thresholds:
            raise InvalidInput("point", point, ", ".join(self.thresholds))
        other = copy(self)
        other.point, other.threshold = point, self.thresholds[point]
        return other

    def __call__(self, prompts: Sequence[str]) -> list[Detection]:
        """Return one verdict a prompt; the score is the overall probability, the categories are theirs.

        Raises:
            InvalidInput: A text does not settle under normalisation.
            RuntimeError: The network gave values that are not finite.
        """
        texts = [normalise(prompt) for prompt in prompts]
        has_words = [WORD.search(text) is not None for text in texts]
        with self._one_at_a_time:
            logits, best = self.logits(texts)
            scores = logits.sigmoid().tolist()
            unsafe = [i for i, row in enumerate(scores) if has_words[i] and row[0] >= self.threshold]
            evidence = dict(zip(unsafe, self._evidence([(texts[i], best[i]) for i in unsafe]), strict=True))
        return [
            _verdict(row, evidence.get(i)) if has_words[i] else Detection(is_unsafe=True, score=1.0)  # nothing to judge
            for i, row in enumerate(scores)
        ]

    @torch.no_grad()
    def logits(self, texts: Sequence[str]) -> tuple[Tensor, list[Judged]]:
        """Return the largest logits of each normalised text, (B, 8), overall first, and its worst window."""
        if not texts:
            return torch.empty(0, len(OUTPUTS)), []
        typed = [unbracketed(text) for text in texts]
        bare = {i: reading for i, text in enumerate(typed) if (reading := without_groups(text)) != text}
        both = [*enumerate(typed), *((len(texts) + place, reading) for place, reading in enumerate(bare.values()))]
        logits, judged = self._read([(i, r) for i, text in both for r in (text, other_reading(text)) if r is not None])
        for place, i in enumerate(bare, start=len(texts)):
            if logits[i, 0].sigmoid() < SURE and WORD.search(both[place][1]):
                logits[i], judged[i] = logits[place], judged[place]
        return logits[: len(texts)], judged[: len(texts)]

    def _read(self, readings: Sequence[tuple[int, str]]) -> tuple[Tensor, list[Judged]]:
        """Return the largest logits of each text, of which several readings may be given, and its worst window.

        Args:
            readings: Number of the text, from 0, and what is read; each number comes once at least.
        """
        rows = windows(readings, self.tokenizer)
        read = [self._meaning(rows[i : i + BATCH_SIZE]) for i in range(0, len(rows), BATCH_SIZE)]
        meaning = torch.cat([logits for logits, _ in read])
        parts = [part for _, batch in read for part in batch]
        letters = letters_logits([row.text for row in rows], self.table)
        joined = self.join["meaning"] * meaning + self.join["letters"] * letters + self.join["bias"]
        if not bool(torch.isfinite(joined).all()):
            raise RuntimeError("the prompt classifier gave values that are not finite; it cannot judge")
        groups: list[list[int]] = [[] for _ in {number for number, _ in readings}]
        for place, row in enumerate(rows):
            groups[row.prompt].append(place)
        worst = [max(group, key=lambda place: float(joined[place, 0])) for group in groups]
        judged = [Judged(rows[place], parts[place]) for place in worst]
        return torch.stack([joined[group].amax(0) for group in groups]), judged

    def _meaning(self, rows: Sequence[Window]) -> tuple[Tensor, list[Tensor]]:
        """Return the logits (B, outputs), and what each token of each window adds to the overall one."""
        states = self.encoder([row.ids for row in rows])
        lengths = torch.tensor([len(state) for state in states])
        hidden = pad_sequence(states, batch_first=True)  # (B, L, D)
        parts = self.head.parts(hidden, torch.arange(hidden.shape[1]) < lengths[:, None])
        overall = [row[: len(window.ids)] for row, window in zip(parts[..., 0], rows, strict=True)]
        return parts.sum(1), overall

    def _evidence(self, engaged: Sequence[tuple[str, Judged]]) -> list[tuple[str, ...]]:
        """Return few words without which each text's worst window is calm, as typed, the most telling one first.

        That word is left out and the rest is read anew, since a word lends its meaning to its neighbours: in
        "a guard with a skull" the guard tells, too, until the skull is gone. `MOST_EVIDENCE` words at most.
        """
        calm = CALM * self.threshold
        typed = [_as_typed(text) for text, _ in engaged]
        named: list[list[str]] = [[] for _ in engaged]
        harmful = {i: judged for i, (_, judged) in enumerate(engaged)}
        for _ in range(MOST_EVIDENCE):
            rest: dict[int, str] = {}
            for i, judged in harmful.items():
                if word := self._most_telling(judged, typed[i].keys()):
                    named[i].append(typed[i][word])
                    rest[i] = _without(word, judged.window.text)
            rest = {i: text for i, text in rest.items() if WORD.search(text)}
            if not rest:
                break
            logits, judged_anew = self._read(list(enumerate(rest.values())))
            left = zip(rest, logits[:, 0].sigmoid().tolist(), judged_anew, strict=True)
            harmful = {i: judged for i, score, judged in left if score >= calm}
        return [tuple(words) for words in named]

    def _most_telling(self, judged: Judged, nameable: Set[str]) -> str | None:
        """Return the nameable word that adds most to the overall logit, by its tokens and its letters, if one adds."""
        window, parts = judged.window, judged.parts.tolist()
        shares: dict[str, float] = {}
        for word in WORD.finditer(window.text):
            inside = [p for p, (a, b) in zip(parts, window.spans, strict=True) if word.start() <= a < b <= word.end()]
            own = letters_logits([word[0]], self.table)[0, 0]
            share = float(self.join["meaning"][0]) * sum(inside) + float(self.join["letters"][0] * own)
            shares[word[0].casefold()] = max(share, shares.get(word[0].casefold(), share))
        telling = [word for word, share in shares.items() if share > 0 and word in nameable]
        return max(telling, key=shares.__getitem__, default=None)


def _verdict(scores: Sequence[float], evidence: tuple[str, ...] | None) -> Detection:
    """Return a verdict, unsafe where there is evidence, be it that no word could be named."""
    return Detection(
        is_unsafe=evidence is not None,
        score=scores[0],
        categories=dict(zip(CATEGORIES, scores[1:], strict=True)),
        evidence=evidence or (),
    )


def _as_typed(text: str) -> dict[str, str]:
    """Return the words that can be taken out of a text, as they are typed there: "knife" may be "kn1fe".

    Not a word that only stands in for a group, nor half a word at the edge of a window, nor a letter: evidence that is
    not in the prompt could not be removed. What joins words tells nothing by itself.
    """
    words, readings = read(text)
    typed = {reading.text: " ".join(words[reading.start : reading.end]) for reading in readings}
    typed |= {word: word for word in words}
    return {word: own for word, own in typed.items() if len(word) > 1 and word not in FUNCTION_WORDS}


def _without(word: str, text: str) -> str:
    return WORD.sub(lambda found: "" if found[0].casefold() == word else found[0], text)


def _changed_encoder(root: Path, state: dict[str, Tensor], first: int) -> tuple[Any, Bert]:
    """Return the tokenizer, and the encoder with W + B A in place of W in its changed layers."""
    from transformers import AutoTokenizer, BertModel

    for name in ("text_encoder", "tokenizer"):
        if not (root / name).is_dir():
            raise InvalidInput("encoder_folder", str(root), "a folder with text_encoder and tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(root / "tokenizer")
    encoder = BertModel.from_pretrained(root / "text_encoder", dtype=torch.float32, add_pooling_layer=False)
    for name, linear in changed_layers(encoder, first).items():
        linear.weight.data += state[f"{name}.up"].float() @ state[f"{name}.down"].float()
    return tokenizer, Bert(encoder.eval().requires_grad_(False))
