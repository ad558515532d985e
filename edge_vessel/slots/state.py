"""Which slot runs, what a revert goes back to, and how often a trial may still start.

The state is one small file, replaced by one rename: before it the old release runs, after it the
new one. The changes are functions of the state alone; `change` makes them last.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Annotated

from edge_vessel import json_reader
from edge_vessel.atomic import sweep, write_file
from edge_vessel.bounded_read import read_regular
from edge_vessel.command_line import printable
from edge_vessel.errors import ArtifactError
from edge_vessel.json_reader import MAX_TEXT, Range, StrictJsonError
from edge_vessel.json_text import strict_json
from edge_vessel.lock import locked
from edge_vessel.manifest import PlainName, Sha256, UtcTime
from edge_vessel.owner import as_owner
from edge_vessel.slots.layout import Layout, SlotName

SCHEMA_VERSION = 1
MAX_STARTS = 100
_MAX_STATE_BYTES = 64 * 1024
# A change takes milliseconds; a slow card may hold an fsync up.
_WAIT_S = 30.0

Version = Annotated[int, Range(1, 2**31 - 1)]


@dataclass(frozen=True)
class Release:
    """An artifact, by what its manifest says and hashes to."""

    name: PlainName
    version: Version
    manifest_sha256: Sha256

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"


@dataclass(frozen=True)
class Occupied:
    """A slot and what was installed in it."""

    slot: SlotName
    release: Release

    def __str__(self) -> str:
        return f"slot {self.slot}: {self.release}"


@dataclass(frozen=True)
class Reverted:
    """The last release that was given up, and why."""

    release: Release
    reason: str
    time: UtcTime


@dataclass(frozen=True)
class State:
    """`active` None is the bundled artifact, and so is `fallback` None: one of them always runs.

    `starts_left` counts the starts that a trial still has; None: `active` is confirmed, or bundled.
    `newest` holds for each name the highest version that was ever confirmed here.
    """

    active: Occupied | None = None
    fallback: Occupied | None = None
    starts_left: Annotated[int, Range(0, MAX_STARTS)] | None = None
    newest: tuple[Release, ...] = ()
    reverted: Reverted | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def idle(self) -> SlotName:
        """The slot that the next installation may write to."""
        return "b" if self.active is not None and self.active.slot == "a" else "a"

    def installed(self, release: Release, starts: int) -> "State":
        """`release` lies in the idle slot and goes on trial."""
        return replace(
            self, active=Occupied(self.idle, release), fallback=self.active, starts_left=starts
        )

    def started(self) -> "State":
        """A start is counted; a trial that has none left is given up."""
        if self.starts_left == 0:
            return self.given_up("it used up its trial starts and was never confirmed")
        return self if self.starts_left is None else replace(self, starts_left=self.starts_left - 1)

    def start_given_back(self) -> "State":
        """The last start of a trial shall not count."""
        if self.starts_left is None:
            return self
        return replace(self, starts_left=min(self.starts_left + 1, MAX_STARTS))

    def confirmed(self) -> "State":
        """The trial is over: `active` is what later reverts go back to."""
        if self.active is None or self.starts_left is None:
            return self
        release = self.active.release
        rank = {known.name: known for known in self.newest}
        known = rank.get(release.name)
        if known is None or known.version < release.version:
            rank[release.name] = release
        return replace(self, starts_left=None, newest=tuple(rank.values()))

    def given_up(self, reason: str) -> "State":
        """`active` gives way to `fallback`."""
        if self.active is None:
            return self
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        reverted = Reverted(self.active.release, printable(reason)[:MAX_TEXT], time)
        return replace(
            self, active=self.fallback, fallback=None, starts_left=None, reverted=reverted
        )


def read(layout: Layout) -> State:
    """The state on the disk; that of a fresh board where there is none.

    Raises:
        ArtifactError: the file is damaged or cannot be read.
    """
    path = layout.state
    try:
        path.lstat()
    except FileNotFoundError:
        return State()
    except NotADirectoryError as error:
        raise ArtifactError(
            f"{layout.root}: is not a folder; name that of the slots with --slots"
        ) from error
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from error
    content = read_regular(path, _MAX_STATE_BYTES, ArtifactError)
    try:
        state = json_reader.build(State, json_reader.loads(content))
        if state.schema_version != SCHEMA_VERSION:
            raise StrictJsonError(f"schema_version: {state.schema_version} is unknown")
    except StrictJsonError as error:
        raise ArtifactError(f"{path}: {error}; remove it and install the artifact again") from error
    return state


def change(layout: Layout, to: Callable[[State], State]) -> State:
    """Replaces the state by what `to` makes of it and returns that; writes only what is new.

    Raises:
        ArtifactError: as `read`, or what `to` raises.
        DeviceError: the state cannot be written; the old one stands, or the new one where the disk
            failed only at the last fsync.
    """
    with locked(layout.changing, "another change of the slots", _WAIT_S):
        before = read(layout)
        after = to(before)
        if after != before:
            with as_owner(layout.root):
                sweep(layout.root, layout.state.name)
                write_file(layout.state, strict_json(asdict(after)).encode() + b"\n")
        return after
