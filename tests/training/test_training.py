"""Training parts with tiny networks: exact resume, a loadable pipeline, saved recognisers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import BertConfig, BertModel, BertTokenizer

from counterpoint.recognisers import Recogniser, RecogniserConfig
from counterpoint.results import wilson_interval
from counterpoint.training import decoder, latents, recogniser, vae
from counterpoint.training.assemble import assemble
from counterpoint.training.config import LoopConfig, learning_rate_at
from counterpoint.training.loop import Batch, Training, newest_checkpoint
from counterpoint.training.text import encode_captions, load_text_encoder, minilm_folder
from counterpoint.training.unet import UnetRecipe, build_unet
from counterpoint.training.vae import build_vae, normalise_latents

ROOT = Path(__file__).parents[2]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "on", "beach", "the"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Lines(Dataset[Batch]):
    def __getitem__(self, step: int) -> Batch:
        return {"x": torch.randn(4, 3, generator=torch.Generator().manual_seed(step))}


class LineRecipe:
    """Fits a linear map to noise, so that each step depends on data, weights and generator."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model: nn.Module = nn.Linear(3, 2)
        self.batches: Dataset[Batch] = Lines()

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        target = torch.randn(4, 2, generator=generator)
        return {"loss": (self.model(batch["x"]) - target).pow(2).mean()}

    def sheet(self, averaged: nn.Module) -> Image.Image | None:
        return Image.new("RGB", (8, 8))

    def export(self, averaged: nn.Module, folder: Path) -> None:
        torch.save(averaged.state_dict(), folder / "weights.pt")

    def describe(self) -> dict[str, Any]:
        return {"part": "line"}


def line_config(out: Path, **changes: Any) -> LoopConfig:
    options: dict[str, Any] = {
        "steps": 6,
        "batch_size": 4,
        "learning_rate": 0.1,
        "warmup_steps": 2,
        "sample_every": 2,
        "workers": 0,
        "device": "cpu",
        **changes,
    }
    return LoopConfig(out=out, **options)


def assert_same_weights(a: nn.Module, b: nn.Module) -> None:
    torch.testing.assert_close(a.state_dict(), b.state_dict(), rtol=0, atol=0)


def test_resume_gives_the_weights_of_an_uninterrupted_run(tmp_path: Path) -> None:
    whole = Training(LineRecipe(), line_config(tmp_path / "whole"))
    assert whole.run()
    assert not Training(LineRecipe(), line_config(tmp_path / "parts", stop_after=3)).run()
    resumed = Training(LineRecipe(), line_config(tmp_path / "parts"))
    assert resumed.step == 3
    assert resumed.run()
    assert_same_weights(whole.recipe.model, resumed.recipe.model)
    assert_same_weights(whole.average, resumed.average)
    assert (tmp_path / "parts" / "weights" / "training.json").exists()
    assert (tmp_path / "parts" / "samples" / "0000006.png").exists()


def test_a_run_that_fails_ends_with_its_workers(tmp_path: Path) -> None:
    """A worker that would not be ended keeps the whole command from ending."""
    failing = (
        "from pathlib import Path\n"
        "from tests.training.test_training import LineRecipe, Lines, Training, line_config\n"
        "class Missing(Lines):\n"
        "    def __getitem__(self, step):\n"
        "        raise FileNotFoundError('no sprites')\n"
        "recipe = LineRecipe()\n"
        "recipe.batches = Missing()\n"
        f"Training(recipe, line_config(Path({str(tmp_path)!r}), workers=1)).run()\n"
    )
    ended = subprocess.run((sys.executable, "-c", failing), cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1 and "no sprites" in ended.stderr


@pytest.mark.parametrize("part", [vae, recogniser, decoder, latents])
def test_a_folder_without_sprites_is_refused(part: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        part.main(["--sprites", str(tmp_path), "--out", str(tmp_path / "out")])
    assert stopped.value.code == 2 and "--sprites" in capsys.readouterr().err


def test_finished_run_does_not_train_again(tmp_path: Path) -> None:
    assert Training(LineRecipe(), line_config(tmp_path)).run()
    path = newest_checkpoint(tmp_path)
    assert path is not None
    written = path.stat().st_mtime_ns
    assert Training(LineRecipe(), line_config(tmp_path)).run()
    assert path.stat().st_mtime_ns == written


def test_resume_with_another_schedule_is_an_error(tmp_path: Path) -> None:
    Training(LineRecipe(), line_config(tmp_path, stop_after=2)).run()
    with pytest.raises(ValueError, match="same options"):
        Training(LineRecipe(), line_config(tmp_path, steps=9))


def test_learning_rate_warms_up_and_ends_near_the_floor(tmp_path: Path) -> None:
    config = line_config(tmp_path, steps=1000, warmup_steps=10)
    rates = [learning_rate_at(step, config) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == rates[9]
    assert rates[-1] == pytest.approx(0.1 * config.final_fraction, rel=0.01)


def test_normalised_vae_rebuilds_the_same_picture_from_unit_latents() -> None:
    torch.manual_seed(0)
    vae = build_vae((8, 8, 8, 8)).eval()
    pixels = torch.rand(4, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = vae.encode(pixels).latent_dist.mode()
        rebuilt = vae.decode(before).sample
        normalise_latents(vae, before.mean((0, 2, 3)), before.std((0, 2, 3)))
        posterior = vae.encode(pixels).latent_dist
        latents = posterior.mode()
        torch.testing.assert_close(vae.decode(latents).sample, rebuilt, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(8), rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(posterior.sample(), latents, rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    return folder


def test_assembled_folder_loads_and_draws(tmp_path: Path, tiny_bert: Path) -> None:
    build_vae((8, 8, 8, 8)).save_pretrained(tmp_path / "vae")
    build_unet((8, 8), width=16, heads=2, groups=4).save_pretrained(tmp_path / "unet")
    for part in ("vae", "unet"):
        (tmp_path / part / "training.json").write_text(f'{{"part": "{part}"}}')
    size = assemble(
        vae=tmp_path / "vae",
        unet=tmp_path / "unet",
        text_encoder=tiny_bert,
        out=tmp_path / "model",
    )
    assert 0 < size < 95_000_000
    for part in ("vae", "unet"):  # how it was trained travels with the weights
        assert json.loads((tmp_path / "model" / part / "training.json").read_text()) == {"part": part}
    pipe = StableDiffusionPipeline.from_pretrained(tmp_path / "model")
    pipe.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    picture = pipe("a cat on the beach", num_inference_steps=2, generator=generator).images[0]
    assert picture.size == (128, 128)
    assert pipe.scheduler.config["prediction_type"] == "v_prediction"
    tokenizer, encoder = load_text_encoder(tiny_bert)
    encoder.half().float()  # The pipeline's weights have been through half precision.
    ours = encode_captions(["a cat"], tokenizer, encoder)
    theirs, _ = pipe.encode_prompt("a cat", torch.device("cpu"), 1, False)
    assert ours.shape == (1, 32, 16)
    torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-5)
    unmasked = encoder(tokenizer("a cat", padding="max_length", return_tensors="pt").input_ids)[0]
    assert (unmasked - theirs).abs().max() > 2e-2


def test_foreign_text_encoder_is_refused(tiny_bert: Path) -> None:
    with pytest.raises(ValueError, match="sha256"):
        minilm_folder(tiny_bert)


def test_unet_trains_on_cached_latents_and_draws_a_sheet(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "latents": torch.randn(5, 8, 16, 16, generator=generator).half(),
        "caption_index": torch.tensor([0, 1, 1, 0, 1]),
        "prompt_embeds": torch.randn(2, 32, 16, generator=generator).half(),
        "empty_prompt_embeds": torch.zeros(32, 16).half(),
    }
    save_file(tensors, tmp_path / "latents.safetensors", metadata={"count": "5"})
    config = line_config(tmp_path / "unet", steps=2, batch_size=2)
    vae: AutoencoderKL = build_vae((8, 8, 8, 8)).eval()
    recipe = UnetRecipe(
        build_unet((8, 8), width=16, heads=2, groups=4),
        config,
        latents=tmp_path / "latents.safetensors",
        vae=vae,
        sheet_embeds=torch.zeros(4, 32, 16),
    )
    assert Training(recipe, config).run()
    assert (tmp_path / "unet" / "weights" / "config.json").exists()
    with Image.open(tmp_path / "unet" / "samples" / "0000002.png") as sheet:
        assert sheet.size == (4 * 128, 128)


@pytest.mark.parametrize("role", ["judge", "checker"])
def test_recogniser_reads_the_same_after_saving(tmp_path: Path, role: Any) -> None:
    torch.manual_seed(0)
    config = RecogniserConfig(
        role=role,
        subjects=("cat", "dog"),
        objects=("none", "knife", "apple"),
        backgrounds=("beach", "city"),
        widths=(8, 16),
    )
    Recogniser(config).save_pretrained(tmp_path / "a")
    first = Recogniser.from_pretrained(tmp_path / "a")
    first.save_pretrained(tmp_path / "b")
    second = Recogniser.from_pretrained(tmp_path / "b")
    pictures = torch.rand(3, 3, 128, 128)
    assert second.config == config
    assert first.read(pictures) == second.read(pictures)
    assert_same_weights(first, second)


def test_wilson_interval_matches_the_published_example() -> None:
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
    low, high = wilson_interval(81, 263)
    assert (low, high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
