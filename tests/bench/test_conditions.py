"""Busy and hot machines, cores and peaks, on boards as /sys and /proc describe them."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench import conditions
from bench.cores import choose_cores
from bench.peak import find_peak
from edge_vessel.board import Board, Core, ThermalZone, read_board
from edge_vessel.errors import DeviceError, UsageError

LITTLE = [Core(n, "Cortex-A53", 0, 408.0, 1416.0, "ondemand") for n in range(4)]
BIG = [Core(n, "Cortex-A72", 1, 408.0, 1800.0, "ondemand") for n in (4, 5)]
HERE = read_board()
RK3399 = replace(HERE, model="NanoPC-T4", cores=(*LITTLE, *BIG), throttle=None, cooling=())
ALL = frozenset(range(6))


def _hot(celsius: float) -> Board:
    return replace(RK3399, zones=(ThermalZone("cpu", celsius),))


def _begin(board: Board, busy: float = 0.0, force: bool = False, cooldown_s: float = 0.0, **more):
    return conditions.begin(
        force, cooldown_s, board, [0], busy=lambda: [busy] * len(board.cores), **more
    )


def test_a_busy_machine_is_refused_unless_forced() -> None:
    with pytest.raises(DeviceError, match=r"busy: others take 60 % .* --force"):
        _begin(RK3399, busy=60.0)
    found = _begin(RK3399, busy=60.0, force=True)
    assert (found.busy_percent, found.forced) == (60.0, True)
    assert found.governors == ("ondemand",)


@pytest.mark.parametrize(
    ("taken", "busy_percent"),
    [
        ([0, 0, 0, 0, 90, 0], 90.0),
        ([60, 0, 0, 0, 0, 0], 10.0),
        ([0, 0, 0, 0, 10, 20], 20.0),
        ([90, 90, 90, 90, 0, 0], 60.0),
    ],
    ids=["one hogs a core in use", "another core", "the busiest", "all others"],
)
def test_the_busiest_core_in_use_counts(taken: list[float], busy_percent: float) -> None:
    found = conditions.begin(True, 0.0, RK3399, [4, 5], busy=lambda: taken)
    assert found.busy_percent == busy_percent


def test_a_hot_board_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "_COOL_STEP_S", 0.01)
    boards = iter([_hot(70.0), _hot(60.0), _hot(50.0)])
    found = _begin(_hot(75.0), cooldown_s=30.0, read=lambda: next(boards))
    assert found.temperature_before_c == 50.0
    assert next(boards, None) is None
    assert found.waited_s < 30.0


@pytest.mark.parametrize(
    ("cooldown_s", "force", "starts"),
    [(0.0, False, True), (0.05, False, False), (0.05, True, True)],
)
def test_a_board_that_stays_hot(
    monkeypatch: pytest.MonkeyPatch, cooldown_s: float, force: bool, starts: bool
) -> None:
    """Who asked for a cool board does not get a hot one unsaid; who did not, sees it recorded."""
    monkeypatch.setattr(conditions, "_COOL_STEP_S", 0.02)

    def begin() -> conditions.Conditions:
        return _begin(_hot(80.0), force=force, cooldown_s=cooldown_s, read=lambda: _hot(80.0))

    if starts:
        assert begin().temperature_before_c == 80.0
    else:
        with pytest.raises(DeviceError, match=r"still 80 °C after 0 s"):
            begin()


def test_the_end_adds_what_came_meanwhile() -> None:
    slowed = replace(_hot(85.0), throttle=("throttled",), load_1min=1.5)
    found = conditions.end(_begin(_hot(40.0)), slowed)
    assert (found.temperature_before_c, found.temperature_after_c) == (40.0, 85.0)
    assert (found.load_after, found.throttle) == (1.5, ("throttled",))


def test_figures_of_qemus_board_are_emulated() -> None:
    assert conditions.kind_of(replace(RK3399, compatible=("linux,dummy-virt",))) == "emulated"
    assert conditions.kind_of(RK3399) == "measured"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, [0, 1, 2, 3, 4, 5]),
        ("big", [4, 5]),
        ("little", [0, 1, 2, 3]),
        ("5,0-1", [0, 1, 5]),
        ("6", "core 6 is not one"),
        ("3-1", "names no core"),
        ("fast", "big, little, or numbers"),
        ("", "big, little, or numbers"),
    ],
)
def test_cores(text: str | None, expected: list[int] | str) -> None:
    if isinstance(expected, str):
        with pytest.raises(UsageError, match=expected):
            choose_cores(text, RK3399, ALL)
    else:
        assert choose_cores(text, RK3399, ALL) == expected


def test_cores_of_one_kind_have_no_big_ones() -> None:
    board = replace(RK3399, cores=tuple(BIG))
    with pytest.raises(UsageError, match="all alike"):
        choose_cores("big", board, ALL)


def test_peak_is_of_the_fastest_cores_in_use() -> None:
    found = find_peak(RK3399, [4, 5], 1, "fp32", 3.6)
    assert found is not None
    assert (found.gmadds_per_s, found.percent) == (pytest.approx(4 * 1.8), 50.0)
    assert found.source == "1 of Cortex-A72 at 1800 MHz, what they begin in a cycle"
    mixed = find_peak(RK3399, range(6), 3, "fp32", 1.0)
    assert mixed is not None
    assert mixed.gmadds_per_s == pytest.approx(4 * (1.8 + 1.8 + 1.416))


@pytest.mark.parametrize(
    ("changed", "precision"),
    [({}, "int8"), ({}, "fp16"), ({"part": "Cortex-X9"}, "fp32"), ({"max_mhz": None}, "fp32")],
)
def test_no_peak_of_what_is_not_known(changed: dict, precision: str) -> None:
    board = replace(RK3399, cores=(replace(BIG[0], **changed),))
    assert find_peak(board, [4], 1, precision, 1.0) is None


def test_this_machine_can_be_told(tmp_path: Path) -> None:
    found = _begin(HERE)
    assert found.machine.cores
    assert found.versions.python
