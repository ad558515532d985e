"""Where the slots lie on the disk."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edge_vessel import command_line

VARIABLE = "EDGE_VESSEL_SLOTS"
DEFAULT_ROOT = Path("/var/lib/edge-vessel/slots")

SlotName = Literal["a", "b"]
SLOTS: tuple[SlotName, ...] = get_args(SlotName)


@dataclass(frozen=True)
class Layout:
    """The folder of the slots and what lies in it.

    `state` alone says which slot is active; `incoming` is an artifact on its way in, which nobody
    runs. `installing` is locked by an installation, `changing` for the moment of a change of state.
    """

    root: Path

    def slot(self, name: SlotName) -> Path:
        """The artifact's folder of a slot; missing where the slot was never used."""
        return self.root / name

    @property
    def incoming(self) -> Path:
        return self.root / "incoming"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def installing(self) -> Path:
        return self.root / "install.lock"

    @property
    def changing(self) -> Path:
        return self.root / "state.lock"


def default_root() -> Path:
    """$EDGE_VESSEL_SLOTS where it is set, else `DEFAULT_ROOT`."""
    return Path(os.environ.get(VARIABLE) or DEFAULT_ROOT)


def add_slots_flag(parser: argparse.ArgumentParser) -> None:
    """`--slots DIR`, of the commands that manage slots."""
    parser.add_argument(
        "--slots",
        type=command_line.path,
        default=default_root(),
        metavar="DIR",
        help=f"folder of the slots (default: ${VARIABLE}, else {DEFAULT_ROOT})",
    )
