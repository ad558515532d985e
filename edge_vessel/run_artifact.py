"""The artifact that `python -m edge_vessel.run` segments with: a folder's, or the active slot's."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from edge_vessel import models
from edge_vessel.artifact import Artifact
from edge_vessel.errors import UsageError
from edge_vessel.segmenter import Segmenter
from edge_vessel.slots.layout import Layout
from edge_vessel.slots.opening import Trust
from edge_vessel.slots.start import start
from edge_vessel.slots.trial import Trial

NO_SLOT = "none"


@dataclass(frozen=True)
class Chosen:
    """`slot` is "a", "b" or `NO_SLOT`; `trial` None where none is on."""

    segmenter: Segmenter
    slot: str
    trial: Trial | None

    @property
    def labels(self) -> dict[str, str]:
        """What the metrics say of it."""
        manifest = self.segmenter.artifact.manifest
        return {"name": manifest.name, "version": str(manifest.version), "slot": self.slot}

    def __str__(self) -> str:
        return "{name} version {version}, slot {slot}".format(**self.labels)


def open_named(options: argparse.Namespace) -> Artifact | None:
    """What `--model` names, else the default; None where `--slots` chooses.

    Raises:
        UsageError, ArtifactError: as `open_artifact`.
    """
    if options.slots is None:
        return _trust(options).open(models.resolve(options.model))
    if options.model is not None:
        raise UsageError("--model and --slots both name an artifact: leave one out")
    return None


def choose(
    options: argparse.Namespace, named: Artifact | None, warn: Callable[[str], None]
) -> Chosen:
    """Loads what `open_named` gave, or the active slot.

    Raises:
        UsageError, DeviceError, ArtifactError: as `Segmenter`, `open_artifact` and `slots.start`.
    """

    def load(artifact: Artifact) -> Segmenter:
        if artifact.warning:
            warn(f"warning: {artifact.warning}")
        return Segmenter(artifact, options.threads, options.threshold)

    if named is not None:
        return Chosen(load(named), NO_SLOT, None)
    layout = Layout(options.slots)
    started = start(layout, _trust(options), load, warn)
    if started.slot is None:
        return Chosen(started.loaded, NO_SLOT, None)
    trial = Trial(layout, started.slot, options.confirm_after, warn) if started.on_trial else None
    return Chosen(started.loaded, started.slot.slot, trial)


def _trust(options: argparse.Namespace) -> Trust:
    return Trust(tuple(options.trusted_key), options.allow_unsigned)
