"""Fetch the drawings of the scenes world: `python scripts/get_sprites.py FOLDER`.

Packs the pinned npm package fluentui-emoji (MIT) into FOLDER, checks the archive's SHA-256,
unpacks it there, checks that every sprite of the vocabulary is present, and prints the folder to
pass to `Sprites`. Needs `npm` and, unless the archive is already in FOLDER, a network. Nothing is
written outside FOLDER.
"""

import argparse
import hashlib
import subprocess
import tarfile
from pathlib import Path

from counterpoint.scenes.vocabulary import sprite_names

PACKAGE = "fluentui-emoji"
VERSION = "1.3.0"
SHA256 = "ec892e607e854859b812c7d827801756adc19955b0ef56d4ae8afcddd19492c5"
"""SHA-256 of the archive that the npm registry serves for this version."""


def get_sprites(folder: Path) -> Path:
    """Fetch, check and unpack the drawings.

    Args:
        folder: Where archive and drawings go; created if absent.

    Returns:
        The folder that holds the SVG files.

    Raises:
        ValueError: The archive is not the pinned one.
        FileNotFoundError: The archive lacks a sprite of the vocabulary.
        subprocess.CalledProcessError: npm failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{PACKAGE}-{VERSION}.tgz"
    if not archive.is_file():
        command = ("npm", "pack", f"{PACKAGE}@{VERSION}", "--pack-destination", str(folder))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{archive} has SHA-256 {digest}, expected {SHA256}. Delete it and try again.")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    drawings = folder / "package" / "icons" / "flat"
    missing = [name for name in sprite_names() if not (drawings / f"{name}.svg").is_file()]
    if missing:
        raise FileNotFoundError(f"{archive} lacks the sprites {', '.join(missing)}.")
    return drawings


def main() -> None:
    """Read the folder from the command line and print where the drawings are."""
    parser = argparse.ArgumentParser(description="Fetch the drawings of the scenes world.")
    parser.add_argument("folder", type=Path, help="where archive and drawings go")
    print(get_sprites(parser.parse_args().folder))


if __name__ == "__main__":
    main()
