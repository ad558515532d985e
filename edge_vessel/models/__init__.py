"""The artifacts inside the package, each pinned by the hash of its manifest.

One network at two sizes: the default sees fine vessels, the other needs a third of the work.
"""

from pathlib import Path

DEFAULT_MODEL = "m2unet-fundus-960"

# Folder name -> SHA-256 of its manifest.json.
PINNED: dict[str, str] = {
    "m2unet-fundus-960": "c76f56164587cb43efbe1d3c3677966ce490368f409e740e0bd9fa64a482daa3",
    "m2unet-fundus-544": "2a82d0248b9dba4422510f916c7a59b7226582fa8de80423e5552ad2c4629932",
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
