"""What Prometheus may know: how often and how long, never who."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from edge_vessel.kiosk.results import Operation, Result, Status
from edge_vessel.sinks.exposition import family, line


class Counters:
    """Since the service started; written on the event loop, `denied` from other threads."""

    def __init__(self) -> None:
        self.denied = 0
        self.turned_away = 0
        self._results: Counter[tuple[Operation, Status]] = Counter()
        self._seconds: defaultdict[Operation, float] = defaultdict(float)

    def count(self, result: Result, duration_s: float) -> None:
        """One result, and how long its operation took without the wait in the line."""
        self._results[result.operation, result.status] += 1
        self._seconds[result.operation] += duration_s

    def families(self, waiting: int, enrolled: int, camera_open: bool) -> Iterable[str]:
        """In Prometheus' text format, with what stands now."""
        yield family(
            "kiosk_results_total", "counter", "Operations by what came of them.",
            [({"operation": o, "status": s}, n) for (o, s), n in sorted(self._results.items())],
        )  # fmt: skip
        yield family(
            "kiosk_operation_seconds", "summary", "From the turn before the camera to the result.",
            [({"operation": name}, spent_s) for name, spent_s in sorted(self._seconds.items())],
            suffix="_sum",
        )  # fmt: skip
        for operation in sorted(self._seconds):
            done = sum(n for (one, _), n in self._results.items() if one == operation)
            yield line("kiosk_operation_seconds_count", {"operation": operation}, done)
        for name, what, value in (
            ("turned_away_total", "Requests that were told to come again.", self.turned_away),
            ("denied_total", "Requests with a wrong token.", self.denied),
        ):
            yield family(f"kiosk_{name}", "counter", what, [({}, value)])
        for name, what, value in (
            ("waiting", "Requests in the line.", waiting),
            ("enrolled", "Subjects in the store.", enrolled),
            ("camera_open", "Whether the camera is open.", camera_open),
        ):
            yield family(f"kiosk_{name}", "gauge", what, [({}, value)])
