"""TVM's own search, built and measured in this process."""

import logging
import tempfile
from pathlib import Path
from typing import Any

import tvm
from tvm import tirx
from tvm.ir.utils import derived_object
from tvm.s_tir import meta_schedule as ms

from compile.tuning.meter import Meter
from edge_vessel.errors import DeviceError, UsageError

_BATCH = 8
_WORKLOADS, _RECORDS = "database_workload.json", "database_tuning_record.json"


def search(
    plain: tirx.PrimFunc, target: tvm.target.Target, folder: Path, trials: int, meter: Meter
) -> tirx.PrimFunc | None:
    """The best schedule in the database of `folder` after up to `trials` measurements.

    Measurements that the database holds count, so that a stopped search goes on where it was.

    Args:
        folder: of one target, thread count and place: the database knows none of them.

    Returns:
        None where nothing valid was found.

    Raises:
        UsageError: the database is damaged.
        DeviceError: it cannot be written.
    """
    if trials <= 0 and not folder.exists():
        return None
    logging.getLogger("tvm.s_tir.meta_schedule").setLevel(logging.ERROR)
    module = tvm.IRModule({"main": plain.with_attr("global_symbol", "main")})
    database = _open(folder)
    try:
        known = 0
        if database.has_workload(module):
            workload = database.commit_workload(module)
            known = len(database.get_top_k(workload, trials + 1))
        if trials > known:
            _tune(module, target, database, trials - known, meter)
        schedule = ms.tir_integration.compile_tir(database, module, target)
    except RuntimeError as error:
        raise UsageError(f"{folder}: MetaSchedule cannot use its records: remove it") from error
    # TVM's database says nothing of a full disk.
    if trials > known and len(database) > len(_lines(folder / _RECORDS)):
        raise DeviceError(f"{folder / _RECORDS}: cannot be written: is the disk full?")
    return None if schedule is None else schedule.mod["main"]


def _open(folder: Path) -> Any:
    """The database; lines that a stop cut off are dropped."""
    try:
        folder.mkdir(exist_ok=True)
        for path in (folder / _WORKLOADS, folder / _RECORDS):
            whole = "".join(line for line in _lines(path) if line.endswith("\n"))
            if path.exists() and len(whole) != len(path.read_text()):
                path.write_text(whole)
    except OSError as error:
        raise DeviceError(f"{folder}: cannot be written: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{folder}: its records are no text: remove it") from error
    try:
        return ms.database.JSONDatabase(work_dir=str(folder))
    except RuntimeError as error:
        raise UsageError(f"{folder}: its records are damaged: remove it") from error


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True) if path.exists() else []


def _strategy(trials: int) -> Any:
    """TVM's own numbers from 64 trials on; with fewer, a population of 512 would be drawn and
    mutated over generations to measure a handful of it."""
    population = min(512, max(16, 8 * trials))
    return ms.search_strategy.EvolutionarySearch(
        population_size=population, init_min_unmeasured=min(50, population // 4)
    )


def _tune(
    module: tvm.IRModule, target: tvm.target.Target, database: Any, trials: int, meter: Meter
) -> None:
    modules: dict[str, tirx.PrimFunc] = {}
    with tempfile.TemporaryDirectory() as logs:
        ms.tir_integration.tune_tir(
            module,
            target,
            logs,
            max_trials_global=trials,
            num_trials_per_iter=_BATCH,
            builder=_Keep(modules),
            runner=_Run(modules, meter),
            database=database,
            cost_model="xgb",
            strategy=_strategy(trials),
            num_tuning_cores=1,
            # TVM's default also deletes a folder of each built candidate; here is none.
            measure_callbacks=[
                ms.measure_callback.AddToDatabase(),
                ms.measure_callback.UpdateCostModel(),
            ],
        )


@derived_object
class _Keep(ms.builder.PyBuilder):  # type: ignore[misc]
    """Hands the candidates on to the runner, which builds them with its own meter."""

    def __init__(self, modules: dict[str, tirx.PrimFunc]) -> None:
        super().__init__()
        self.modules = modules

    def build(self, build_inputs: list[Any]) -> list[Any]:
        """One name for each candidate."""
        results = []
        for one in build_inputs:
            name = str(len(self.modules))
            self.modules[name] = one.mod["main"]
            results.append(ms.builder.BuilderResult(name, None))
        return results


@derived_object
class _Done(ms.runner.PyRunnerFuture):  # type: ignore[misc]
    """A result that is there already."""

    def __init__(self, found: Any) -> None:
        super().__init__()
        self.found = found

    def done(self) -> bool:
        """Always."""
        return True

    def result(self) -> Any:
        """Seconds, or what went wrong."""
        return self.found


@derived_object
class _Run(ms.runner.PyRunner):  # type: ignore[misc]
    """Measures one after another with our meter."""

    def __init__(self, modules: dict[str, tirx.PrimFunc], meter: Meter) -> None:
        super().__init__()
        self.modules = modules
        self.meter = meter

    def run(self, runner_inputs: list[Any]) -> list[Any]:
        """In their order."""
        futures = []
        for one in runner_inputs:
            try:
                seconds = self.meter.seconds(self.modules[one.artifact_path])
                found = ms.runner.RunnerResult([seconds], None)
            except DeviceError as error:
                found = ms.runner.RunnerResult(None, str(error))
            futures.append(_Done(found))
        return futures
