"""One line that follows a run on a terminal."""

import time
from types import TracebackType

import psutil
from rich.console import Console
from rich.live import Live
from rich.text import Text

from edge_vessel.board import thermal_zones
from edge_vessel.pipeline import Progress

_PERIOD_S = 0.25


class LiveLine:
    """Frames a second, latency, drops, memory and temperature; silent off a terminal.

    It is written to the console's stream, stderr by convention, so that stdout stays the result's.

    Args:
        wanted: False where stdout is not a terminal either, or has JSON lines on it.
    """

    def __init__(self, console: Console, wanted: bool) -> None:
        self._live = Live(console=console, transient=True, auto_refresh=False)
        self._shown = wanted and console.is_terminal
        self._process = psutil.Process()
        self._due_s = 0.0

    def __enter__(self) -> "LiveLine":
        if self._shown:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            self._live.stop()

    def update(self, progress: Progress) -> None:
        """Draws at most four times a second."""
        now = time.monotonic()
        if not self._shown or now < self._due_s:
            return
        self._due_s = now + _PERIOD_S
        rss_mb = self._process.memory_info().rss / 2**20
        self._live.update(
            Text(line(progress, rss_mb, _hottest_c()), no_wrap=True, overflow="ellipsis"),
            refresh=True,
        )


def _hottest_c() -> float | None:
    return max((zone.celsius for zone in thermal_zones()), default=None)


def line(progress: Progress, rss_mb: float, temperature_c: float | None) -> str:
    """The text of the line."""
    total = progress.stages["total"]
    parts = [f"{progress.processed} frames", f"{progress.fps:.1f} fps"]
    if total is not None:
        parts.append(f"p50 {total.p50_ms:.0f} ms, p95 {total.p95_ms:.0f} ms")
    parts += [f"{progress.dropped} dropped", f"{rss_mb:.0f} MB"]
    if temperature_c is not None:
        parts.append(f"{temperature_c:.0f} °C")
    if progress.camera != "ok":
        parts.append(f"camera {progress.camera}")
    return " | ".join(parts)
