"""Which artifact a start runs: the active one, or what it falls back to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from edge_vessel import models
from edge_vessel.artifact import Artifact
from edge_vessel.errors import ArtifactError, DeviceError
from edge_vessel.slots import state as states
from edge_vessel.slots.layout import Layout
from edge_vessel.slots.opening import Trust, open_slot
from edge_vessel.slots.state import Occupied, State

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Started(Generic[Loaded]):
    """What was loaded and from which slot; `slot` None is the bundled artifact."""

    loaded: Loaded
    slot: Occupied | None
    on_trial: bool


def start(
    layout: Layout,
    trust: Trust,
    load: Callable[[Artifact], Loaded],
    warn: Callable[[str], None],
) -> Started[Loaded]:
    """Counts a start of a trial and loads the active artifact.

    A trial without a start left is reverted; so is a release that cannot be opened or loaded. It
    ends with the artifact inside the package. The start is counted on the disk before anything is
    loaded: whatever the artifact does to this process, it can do so only a few times. Where it
    cannot be counted (a full or read-only disk), the trial has to wait and the fallback runs.

    Raises:
        DeviceError, UsageError: whatever is no fault of an artifact.
        ArtifactError: not even the bundled one can be loaded.
    """
    state = _count(layout, warn)
    while state.active is not None:
        try:
            artifact = open_slot(layout, state.active, trust)
            return Started(load(artifact), state.active, state.starts_left is not None)
        except ArtifactError as error:
            state = _give_up(layout, state, state.active, str(error), warn)
    return Started(load(trust.open(models.default_path())), None, on_trial=False)


def _count(layout: Layout, warn: Callable[[str], None]) -> State:
    before = _read(layout, warn)
    if before.starts_left is None:
        return before
    try:
        state = states.change(layout, State.started)
    except DeviceError as error:
        warn(f"warning: {error}: {before.active} is on trial and waits until starts can be counted")
        return before.given_up(str(error))
    if state.active != before.active and state.reverted is not None:
        warn(f"warning: gave up {state.reverted.release}: {state.reverted.reason}")
    return state


def _read(layout: Layout, warn: Callable[[str], None]) -> State:
    """A board whose state is damaged still has work to do."""
    try:
        state = states.read(layout)
    except ArtifactError as error:
        warn(f"warning: {error}; the bundled artifact runs")
        return State()
    if state.active is None:
        warn(f"{layout.root}: no active slot: the bundled artifact runs")
    return state


def _give_up(
    layout: Layout, state: State, failed: Occupied, reason: str, warn: Callable[[str], None]
) -> State:
    warn(f"warning: gave up {failed}: {reason}")

    def unless_replaced(now: State) -> State:
        return now.given_up(reason) if now.active == failed else now

    try:
        return states.change(layout, unless_replaced)
    except DeviceError as error:
        warn(f"warning: {error}")
        return state.given_up(reason)
