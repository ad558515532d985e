"""The artifacts inside the package, each pinned by the hash of its manifest."""

from pathlib import Path

DEFAULT_MODEL = "m2unet-fundus-544"

# Folder name -> SHA-256 of its manifest.json.
PINNED: dict[str, str] = {
    "m2unet-fundus-544": "74aec828b4b169e7bfc33b867e3cb436410a6d39a462df3315358a85d47da7d0",
}


def default_path() -> Path:
    """The folder of the artifact that a fresh install segments with."""
    return Path(__file__).parent / DEFAULT_MODEL
