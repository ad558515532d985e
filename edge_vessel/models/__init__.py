"""The artifacts inside the package, each pinned by the hash of its manifest."""

from pathlib import Path

DEFAULT_MODEL = "m2unet-fundus-544"

# Folder name -> SHA-256 of its manifest.json.
PINNED: dict[str, str] = {
    "m2unet-fundus-544": "48fa7091674270fdcd56c08997fba36e6bd3dcaf74b6980082210aea9a078390",
}


def default_path() -> Path:
    """The folder of the artifact that a fresh install segments with."""
    return Path(__file__).parent / DEFAULT_MODEL
