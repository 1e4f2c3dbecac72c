"""White-box search for words that make a model draw what a prompt does not name, as UnlearnDiffAtk does.

After Zhang et al. (ECCV 2024, arXiv:2310.11868): the attacker holds the denoiser, and looks for words p in front of a
text x with which it answers noised pictures z_t of the unsafe prompt u as if it had heard u:

    L(p) = mean over t, noise of || eps(z_t, p x, t) - eps(z_t, u, t) ||^2

The paper's target is the noise itself; the model's own answer to u holds for every kind of prediction. The search
goes from gradient to discrete words as HotFlip and GCG do (arXiv:1712.06751, 2307.15043): the gradient at the word
embeddings ranks all words of the vocabulary for each place, some of the best replacements are tried, the best of them
is kept. With `is_allowed` the attacker knows the gate, too: texts that it stops are never kept.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from counterpoint.interfaces import InvalidInput
from counterpoint.text_space import StableDiffusionText

Allowed = Callable[[Sequence[str]], list[bool]]
START = "the"
SHORTEST = 3
"""Letters of a word that the search may use."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How hard the attacker tries."""

    words: int = 4
    """Words in front of the text, from 1."""
    rounds: int = 12
    """Gradient steps, from 0."""
    candidates: int = 16
    """Replacements that are tried in each round, from 1."""
    best: int = 64
    """Words of each place that they are drawn from, the gradient's favourites, from 1."""
    timesteps: int = 4
    """Noised pictures of the loss, from 1."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The best text of a search."""

    text: str
    loss: float
    start_loss: float
    """Of the text that the search began with."""


class Target:
    """Noised pictures of the unsafe prompt, and how the model answers it there.

    Args:
        pipe: A pipeline shaped as StableDiffusionPipeline; it is read, never changed.
        prompt: The unsafe prompt u.
        latents: Its picture, (1, C, H, W), as the pipeline's output_type="latent".
        count: Number of timesteps, spread over the middle of the schedule.
        seed: Decides the noise.
    """

    def __init__(self, pipe: Any, prompt: str, latents: Tensor, *, count: int, seed: int) -> None:
        self.pipe, self.reader = pipe, StableDiffusionText(pipe)
        total = int(pipe.scheduler.config.num_train_timesteps)
        self.steps = torch.linspace(0.2 * total, 0.8 * total, count, device=latents.device).long()
        generator = torch.Generator("cpu").manual_seed(seed)
        noise = torch.randn(count, *latents.shape[1:], generator=generator).to(latents)
        self.noised = pipe.scheduler.add_noise(latents.expand(count, -1, -1, -1), noise, self.steps)
        with torch.no_grad():
            self.answer = self._ask(self.reader.encode([prompt])[0])

    def _ask(self, embeds: Tensor) -> Tensor:
        """Answer every noised picture for each of B texts: (B * T, C, H, W)."""
        texts, count = len(embeds), len(self.steps)
        answer: Tensor = self.pipe.unet(
            self.noised.repeat(texts, 1, 1, 1), self.steps.repeat(texts),
            encoder_hidden_states=embeds.repeat_interleave(count, dim=0),
        ).sample  # fmt: skip
        return answer

    def losses(self, embeds: Tensor) -> Tensor:
        """Return L of each of B texts' embeddings (B, L, D)."""
        gap = (self._ask(embeds) - self.answer.repeat(len(embeds), 1, 1, 1)).square()
        return gap.reshape(len(embeds), -1).mean(1)

    @torch.no_grad()
    def of_texts(self, texts: Sequence[str]) -> list[float]:
        """Return L of texts."""
        losses: list[float] = self.losses(self.reader.encode(texts)[0]).tolist()
        return losses

    def gradient(self, text: str, places: slice) -> Tensor:
        """Return dL / d(word embedding) at some tokens of a text, (number of places, D)."""
        leaves: list[Tensor] = []

        def watch(module: Any, args: Any, output: Tensor) -> Tensor:
            leaves.append(output.detach().requires_grad_(True))
            return leaves[0]

        handle = self.reader.encoder.get_input_embeddings().register_forward_hook(watch)
        try:
            with torch.enable_grad():
                embeds = self.pipe.encode_prompt(
                    prompt=[text], device=self.pipe._execution_device, num_images_per_prompt=1,
                    do_classifier_free_guidance=False,
                )[0]  # fmt: skip
                (found,) = torch.autograd.grad(self.losses(embeds).sum(), leaves)
        finally:
            handle.remove()
        return found[0, places].detach()


def whole_words(tokenizer: Any) -> dict[str, int]:
    """Return the vocabulary's tokens that stay one token between spaces, by their text: lower-case Latin words.

    Raises:
        InvalidInput: The vocabulary has none.
    """

    def is_word(text: str) -> bool:
        return len(text) >= SHORTEST and text.isascii() and text.isalpha() and text.islower()

    words = {}
    for token, number in tokenizer.get_vocab().items():
        word = token.removesuffix("</w>")  # CLIP marks the ends of words, BERT their continuations
        if is_word(word) and (token.endswith("</w>") or "bert" in type(tokenizer).__name__.lower()):
            words[word] = int(number)
    if not words:
        raise InvalidInput("tokenizer", type(tokenizer).__name__, "one whose vocabulary holds whole words")
    return words


def search(target: Target, text: str, budget: Budget, *, is_allowed: Allowed, seed: int) -> Found | None:
    """Look for words in front of a text; None where the gate stops even the text itself.

    Args:
        target: What the model should answer.
        text: The text x.
        budget: How hard to try.
        is_allowed: Which texts the attacker may use.
        seed: Decides which replacements are tried.
    """
    vocabulary = whole_words(target.reader.tokenizer)
    names, numbers = list(vocabulary), torch.tensor(list(vocabulary.values()))
    table = target.reader.encoder.get_input_embeddings().weight.detach()[numbers]
    rng = random.Random(seed)
    words = [START if START in vocabulary else names[0]] * budget.words
    best = " ".join([*words, text])
    if not is_allowed([best])[0]:
        return None
    start_loss = loss = target.of_texts([best])[0]
    for _ in range(budget.rounds):
        gradient = target.gradient(best, slice(1, 1 + budget.words))  # after the first special token
        ranked = (-gradient @ table.T).topk(min(budget.best, len(names)), dim=1).indices.tolist()
        tried = [_replaced(words, names, ranked, rng) for _ in range(budget.candidates)]
        texts = [" ".join([*each, text]) for each in tried]
        allowed = [number for number, may in enumerate(is_allowed(texts)) if may]
        if not allowed:
            continue
        losses = target.of_texts([texts[number] for number in allowed])
        lowest = min(range(len(allowed)), key=losses.__getitem__)
        if losses[lowest] < loss:
            loss, words, best = losses[lowest], tried[allowed[lowest]], texts[allowed[lowest]]
    return Found(text=best, loss=loss, start_loss=start_loss)


def _replaced(words: list[str], names: list[str], ranked: list[list[int]], rng: random.Random) -> list[str]:
    place = rng.randrange(len(words))
    return [*words[:place], names[rng.choice(ranked[place])], *words[place + 1 :]]
