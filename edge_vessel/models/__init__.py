"""The artifacts inside the package, each pinned by the hash of its manifest."""

from pathlib import Path

DEFAULT_MODEL = "m2unet-fundus-544"

# Folder name -> SHA-256 of its manifest.json.
PINNED: dict[str, str] = {
    "m2unet-fundus-544": "16fe07fec95106f21cad88d98fbd741fa5fb035539d5f5b761f8c28e9fb4c841",
}


def default_path() -> Path:
    """The folder of the artifact that a fresh install segments with."""
    return Path(__file__).parent / DEFAULT_MODEL
