"""The artifacts inside the package, each pinned by the hash of its manifest.

One network at two sizes: the default sees fine vessels, the other takes a third of the time.
"""

from pathlib import Path

DEFAULT_MODEL = "m2unet-fundus-960"

# Folder name -> SHA-256 of its manifest.json.
PINNED: dict[str, str] = {
    "m2unet-fundus-960": "c76f56164587cb43efbe1d3c3677966ce490368f409e740e0bd9fa64a482daa3",
    "m2unet-fundus-544": "34606eb99e544aec568f547f95bccdd1e56fd4a763845bf227fdabff3b38fa4d",
}


def default_path() -> Path:
    """The folder of the artifact that a fresh install segments with."""
    return Path(__file__).parent / DEFAULT_MODEL


def resolve(model: Path | None) -> Path:
    """The folder that `--model` means: the default, a bundled artifact by its name, a folder.

    What stands at that very path comes first.
    """
    if model is None:
        return default_path()
    if str(model) in PINNED and not model.exists():
        return Path(__file__).parent / model
    return model
