from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edge_vessel.errors import ArtifactError
from edge_vessel.slots import state as states
from edge_vessel.slots.layout import Layout
from edge_vessel.slots.state import Occupied, Release, State

OLD, NEW = Release("tiny", 1, "1" * 64), Release("tiny", 2, "2" * 64)
FRESH = State()
RUNNING = FRESH.installed(OLD, 3).confirmed()
ON_TRIAL = RUNNING.installed(NEW, 2)
USED_UP = ON_TRIAL.started().started()


@dataclass
class ChangeCase:
    name: str
    state: State
    active: Release | None
    fallback: Release | None
    starts_left: int | None


CHANGE_CASES = [
    ChangeCase("fresh", FRESH, None, None, None),
    ChangeCase("first installed", FRESH.installed(OLD, 3), OLD, None, 3),
    ChangeCase("first confirmed", RUNNING, OLD, None, None),
    ChangeCase("first given up", FRESH.installed(OLD, 3).given_up("x"), None, None, None),
    ChangeCase("second installed", ON_TRIAL, NEW, OLD, 2),
    ChangeCase("a start counted", ON_TRIAL.started(), NEW, OLD, 1),
    ChangeCase("the last start counted", USED_UP, NEW, OLD, 0),
    ChangeCase("no start left", USED_UP.started(), OLD, None, None),
    ChangeCase("given back", USED_UP.start_given_back(), NEW, OLD, 1),
    ChangeCase("confirmed", USED_UP.confirmed(), NEW, OLD, None),
    ChangeCase("reverted by hand", ON_TRIAL.confirmed().given_up("x"), OLD, None, None),
    ChangeCase("confirmed starts do not count", RUNNING.started(), OLD, None, None),
    ChangeCase("nothing to give back", RUNNING.start_given_back(), OLD, None, None),
    ChangeCase("bundled: nothing to give up", FRESH.given_up("x"), None, None, None),
    ChangeCase("bundled: nothing to confirm", FRESH.confirmed(), None, None, None),
]


def release(occupied: Occupied | None) -> Release | None:
    return None if occupied is None else occupied.release


@pytest.mark.parametrize("case", CHANGE_CASES, ids=lambda case: case.name)
def test_changes(case):
    assert release(case.state.active) == case.active
    assert release(case.state.fallback) == case.fallback
    assert case.state.starts_left == case.starts_left


def test_slots_take_turns_and_the_active_one_is_never_idle():
    assert FRESH.idle == "a"
    assert RUNNING.idle == "b"
    assert ON_TRIAL.idle == "a"
    assert USED_UP.started().idle == "b"


def test_the_newest_is_remembered_by_name_and_only_when_confirmed():
    other = Release("other", 7, "7" * 64)
    assert ON_TRIAL.newest == (OLD,)
    later = ON_TRIAL.confirmed().installed(other, 3).confirmed()
    assert set(later.newest) == {NEW, other}
    back = later.installed(OLD, 3).confirmed()
    assert set(back.newest) == {NEW, other}


def test_why_it_was_reverted_stays_on_one_line():
    reverted = ON_TRIAL.given_up("line\nbreak" + "x" * 2000).reverted
    assert reverted is not None
    assert reverted.release == NEW
    assert reverted.reason.startswith("line\\nbreak")
    assert len(reverted.reason) == 1000


@pytest.mark.parametrize("state", [FRESH, RUNNING, USED_UP, USED_UP.started()])
def test_what_was_written_comes_back(state, tmp_path):
    layout = Layout(tmp_path)
    states.change(layout, lambda _: state)
    assert states.read(layout) == state


def test_what_does_not_change_is_not_written(tmp_path):
    layout = Layout(tmp_path)
    states.change(layout, lambda _: RUNNING)
    before = layout.state.stat()
    states.change(layout, State.started)
    assert layout.state.stat() == before


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@dataclass
class DamageCase:
    name: str
    damage: Callable[[Path], object]
    message: str


DAMAGE_CASES = [
    DamageCase("empty", lambda p: p.write_bytes(b""), "is not JSON"),
    DamageCase("truncated", lambda p: p.write_bytes(p.read_bytes()[:50]), "is not JSON"),
    DamageCase("foreign", lambda p: p.write_bytes(b"{}"), "active: is missing"),
    DamageCase("no such slot", lambda p: edit(p, b'"slot":"b"', b'"slot":"c"'), "'c' is not one"),
    DamageCase("newer", lambda p: edit(p, b'version":1}', b'version":2}'), "2 is unknown"),
    DamageCase("a link", link, "is a symbolic link"),
    DamageCase("a dangling link", lambda p: (link(p), p.resolve().unlink()), "is a symbolic link"),
]


def edit(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


@pytest.mark.parametrize("case", DAMAGE_CASES, ids=lambda case: case.name)
def test_damage_is_one_line(case, tmp_path):
    layout = Layout(tmp_path)
    states.change(layout, lambda _: replace(ON_TRIAL))
    case.damage(layout.state)
    with pytest.raises(ArtifactError) as caught:
        states.read(layout)
    assert case.message in str(caught.value)
    assert str(layout.state) in str(caught.value)
    assert "\n" not in str(caught.value)
