"""Which photographs a network has seen: its own run, and those of the weights that it came from."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge_vessel.errors import UsageError
from train import data as registry
from train.data.dataset import DataSet
from train.models.checkpoint import Checkpoint


def refuse_known(path: Path, checkpoint: Checkpoint, dataset: DataSet, root: Path) -> None:
    """Two protocols over one folder, as of CHASE_DB1, share photographs.

    Raises:
        UsageError: the network has been fitted on, or watched by, a test photograph.
    """
    learnt = known(checkpoint, ("fit", "validation"))
    tests = {(dataset.folder, record.id) for record in dataset.records(root, "test")}
    if both := sorted(one for _, one in learnt & tests):
        raise UsageError(
            f"{path}: was trained with {len(both)} of the test photographs of {dataset.name} "
            f"({both[0]}, ...): take the split that it was trained for"
        )


def known(checkpoint: Checkpoint, parts: Sequence[str]) -> set[tuple[str, str]]:
    """Folder and id of the photographs that the network has seen; one folder may hold several
    protocols, as CHASE_DB1's and HRF's do.

    Args:
        parts: "fit", "validation" or both.
    """
    return {
        (registry.find(name).folder, one)
        for part in parts
        for name, ids in seen(checkpoint.run, part).items()
        for one in ids
    }


def seen(run: dict[str, Any], part: str) -> dict[str, list[str]]:
    """Ids by data set: of the run, and of those of the weights that it began with or learnt from.

    Args:
        part: "fit" or "validation".
    """
    found: dict[str, set[str]] = {}
    for one in _lineage(run):
        for name, ids in (one.get(part) or {}).items():
            if name in registry.DATA_SETS:
                found.setdefault(name, set()).update(ids)
    return {name: sorted(ids) for name, ids in sorted(found.items())}


def _lineage(run: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield run
    for file in run.get("files") or ():
        yield from _lineage(file.get("run") or {})
    for made in (run.get("taught_by") or {}).values():
        yield from made["teachers"]
