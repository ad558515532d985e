"""The capture thread: newest frame first, losses waited out, deadlines owned."""

import threading
import time

import pytest
from staged_sources import StagedCamera

from edge_vessel import sources
from edge_vessel.capture import Capture, CaptureConfig, End, Unreadable
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.sinks.base import CameraEvent
from edge_vessel.sources.base import Frame

GONE = DeviceError("/dev/video9: unplugged")


def _until(capture: Capture, enough) -> list:
    """Takes until `enough(items)`, 20 s at most."""
    items: list = []
    deadline = time.monotonic() + 20
    while not enough(items) and time.monotonic() < deadline:
        item = capture.take(0.05)
        if item is not None:
            items.append(item)
    assert enough(items), items
    return items


def _states(items: list) -> list[str]:
    return [item.state for item in items if isinstance(item, CameraEvent)]


def test_files_are_never_dropped(tmp_path):
    source = sources.create("synthetic:frames=25,width=100,height=100")
    capture = Capture(source)
    capture.start()
    items = _until(capture, lambda items: any(isinstance(i, End) for i in items))
    frames = [item for item in items if isinstance(item, Frame)]
    assert [frame.index for frame in frames] == list(range(25))
    assert (capture.captured, capture.dropped, capture.failed) == (25, 0, 0)


def test_a_live_source_overtakes_a_slow_reader():
    source = sources.create("synthetic:fps=200,frames=60,width=100,height=100")
    capture = Capture(source)
    capture.start()
    indices = []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        item = capture.take(1.0)
        if isinstance(item, End):
            break
        assert isinstance(item, Frame)
        indices.append(item.index)
        time.sleep(0.05)
    assert indices == sorted(indices)
    assert indices[-1] == 59, "the newest frame is kept"
    assert capture.captured == 60
    assert capture.dropped == 60 - len(indices) > 0


def test_an_unplugged_camera_is_lost_recovering_ok():
    source = StagedCamera([64, GONE, 64], opens=[None, GONE, GONE, None])
    capture = Capture(source)
    capture.start()
    items = _until(capture, lambda items: _states(items) == ["lost", "recovering", "ok"])
    capture.stop()
    assert capture.losses == 1
    assert "unplugged" in items[1].reason
    assert source.opened == 4


def test_a_camera_that_was_never_there_is_given_up():
    capture = Capture(StagedCamera([], opens=[GONE] * 99), CaptureConfig(give_up_s=0.3))
    capture.start()
    with pytest.raises(DeviceError, match="unplugged"):
        _until(capture, lambda _: False)
    assert capture.state == "lost"


def test_a_camera_that_comes_up_late_is_waited_for():
    capture = Capture(StagedCamera([64], opens=[GONE, None]))
    capture.start()
    _until(capture, lambda items: _states(items) == ["lost", "recovering", "ok"])
    capture.stop()


def test_a_driver_that_never_returns_is_noticed_and_given_up():
    release = threading.Event()
    source = StagedCamera([64, lambda: release.wait(30)])
    config = CaptureConfig(read_timeout_s=-1.8, give_up_s=0.3)  # with the grace: 0.2 s
    capture = Capture(source, config)
    capture.start()
    items: list = []
    with pytest.raises(DeviceError, match="has not answered"):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            items.append(capture.take(0.05))
    assert _states(items) == ["lost"]
    started = time.monotonic()
    capture.stop()
    assert time.monotonic() - started < 5, "stop does not wait for the driver"
    release.set()


def test_a_change_of_size_is_told():
    capture = Capture(StagedCamera([64, 64, 80]))
    capture.start()
    items = _until(capture, lambda items: bool(_states(items)))
    capture.stop()
    assert [i.reason for i in items if isinstance(i, CameraEvent)] == [
        "staged:: frames are 80x48 from now on"
    ]


def test_an_unreadable_file_is_passed_over(tmp_path, samples):
    (tmp_path / "a.jpg").write_bytes((samples / "chase_db1_07L.jpg").read_bytes())
    (tmp_path / "b.jpg").write_bytes((samples / "chase_db1_07L.jpg").read_bytes()[:9000])
    (tmp_path / "c.jpg").write_bytes((samples / "chase_db1_11R.jpg").read_bytes())
    capture = Capture(sources.create(str(tmp_path)))
    capture.start()
    items = _until(capture, lambda items: any(isinstance(i, End) for i in items))
    assert [type(item) for item in items] == [Frame, Unreadable, Frame, End]
    assert "b.jpg" in items[1].error
    assert capture.failed == 1


def test_a_fault_of_ours_ends_the_run():
    def broken() -> None:
        raise ZeroDivisionError

    capture = Capture(StagedCamera([broken]))
    capture.start()
    with pytest.raises(DeviceError, match="ZeroDivisionError"):
        _until(capture, lambda _: False)


def test_a_usage_error_of_open_is_not_waited_out():
    capture = Capture(StagedCamera([], opens=[UsageError("a metadata node")]))
    capture.start()
    with pytest.raises(UsageError, match="metadata"):
        _until(capture, lambda _: False)


def test_stop_wakes_a_file_source_that_waits_to_be_read():
    capture = Capture(sources.create("synthetic:width=100,height=100"))
    capture.start()
    _until(capture, lambda items: len(items) == 2)
    started = time.monotonic()
    capture.stop()
    assert time.monotonic() - started < 1
