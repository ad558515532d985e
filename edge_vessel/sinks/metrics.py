"""Prometheus metrics in a file for node_exporter's textfile collector: no port, no network."""

import bisect
import itertools
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from edge_vessel.atomic import write_file
from edge_vessel.board import thermal_zones
from edge_vessel.meters.conditions import read_conditions
from edge_vessel.sinks.base import CameraEvent, Result, Unreadable
from edge_vessel.sinks.exposition import Labels, family, line

# Upper ends in seconds: from a small network on a fast core to photographs on a slow one.
_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_PERIOD_S = 15.0  # that of a Prometheus server, by its default configuration's example
_MODE = 0o644  # the collector is another user; no picture is in it


class MetricsSink:
    """Rewrites `path`, whole, every 15 s while frames come, and when the camera's state changes.

    Args:
        artifact: labels of the information metric: name, version, slot.
        root: holds `proc` and `sys`.
        clock_s: a monotonic clock.

    Raises:
        DeviceError: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        artifact: Labels,
        root: Path = Path("/"),
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._artifact = artifact
        self._root = root
        self._clock_s = clock_s
        self._started_s = time.time()
        self._frames = {"ok": 0, "no_fundus": 0, "failed": 0}
        self._dropped = self._losses = 0
        self._camera = "recovering"
        self._counts = [0] * (len(_BUCKETS_S) + 1)
        self._sum_s = 0.0
        self._put()

    def write(self, result: Result) -> None:
        """Counts one result.

        Raises:
            DeviceError: the file cannot be written.
        """
        found = result.segmentation
        self._frames[found.status] += 1
        self._dropped = result.dropped
        self._camera = "ok"
        if found.status == "ok":
            inference_s = found.inference_ms / 1000
            self._counts[bisect.bisect_left(_BUCKETS_S, inference_s)] += 1
            self._sum_s += inference_s
        if self._clock_s() - self._put_s >= _PERIOD_S:
            self._put()

    def unreadable(self, _: Unreadable) -> None:
        """Counts a frame that failed."""
        self._frames["failed"] += 1

    def event(self, event: CameraEvent) -> None:
        """The state of the camera.

        Raises:
            DeviceError: as `write`.
        """
        self._losses += event.state == "lost"
        self._camera = event.state
        self._put()

    def close(self) -> None:
        """The last figures.

        Raises:
            DeviceError: as `write`.
        """
        self._put()

    def _put(self) -> None:
        self._put_s = self._clock_s()
        write_file(self._path, "".join(self._families()).encode(), _MODE)

    def _families(self) -> Iterable[str]:
        yield family("artifact_info", "gauge", "The artifact that segments.", [(self._artifact, 1)])
        yield family("start_time_seconds", "gauge", "When the run began.", [({}, self._started_s)])
        yield family(
            "frames_total", "counter", "Frames by their result.",
            [({"status": status}, count) for status, count in self._frames.items()],
        )  # fmt: skip
        yield family(
            "frames_dropped_total", "counter", "Frames that a newer one overtook.",
            [({}, self._dropped)],
        )  # fmt: skip
        yield family("camera_up", "gauge", "Whether frames come.", [({}, self._camera == "ok")])
        yield family(
            "camera_losses_total", "counter", "Times the camera went away.", [({}, self._losses)]
        )
        ends = [*(f"{end:g}" for end in _BUCKETS_S), "+Inf"]
        reached = itertools.accumulate(self._counts)
        buckets = zip(ends, reached, strict=True)
        yield family(
            "inference_seconds", "histogram", "Time in the network, of frames with a fundus.",
            [({"le": end}, count) for end, count in buckets], suffix="_bucket",
        )  # fmt: skip
        yield line("inference_seconds_sum", {}, self._sum_s)
        yield line("inference_seconds_count", {}, sum(self._counts))
        yield from self._machine()

    def _machine(self) -> Iterable[str]:
        conditions = read_conditions(self._root)
        # Zones, and cooling devices, may share a name; series may not.
        hottest: dict[str, float] = {}
        for zone in thermal_zones(self._root):
            hottest[zone.name] = max(zone.celsius, hottest.get(zone.name, zone.celsius))
        if hottest:
            yield family(
                "temperature_celsius", "gauge", "Of each kind of thermal zone, the hottest.",
                [({"zone": name}, celsius) for name, celsius in hottest.items()],
            )  # fmt: skip
        flags = (*(conditions.throttle or ()), *conditions.cooling)
        now = [flag for flag in flags if not flag.endswith("has occurred")]
        yield family(
            "throttled", "gauge", "Whether the processor is slowed down now.", [({}, bool(now))]
        )
        if flags:
            yield family(
                "throttle_flag", "gauge", "What slows the processor, or has slowed it.",
                [({"flag": name}, 1) for name in sorted({f.partition(" at ")[0] for f in flags})],
            )  # fmt: skip
