"""TVM's own search, built and measured in this process."""

import logging
from pathlib import Path
from typing import Any

import tvm
from tvm import tirx
from tvm.ir.utils import derived_object
from tvm.s_tir import meta_schedule as ms

from compile.tuning.meter import Meter
from edge_vessel.errors import DeviceError

_BATCH = 8


def search(
    plain: tirx.PrimFunc, target: tvm.target.Target, folder: Path, trials: int, meter: Meter
) -> tirx.PrimFunc | None:
    """The best schedule in the database of `folder` after up to `trials` measurements.

    Measurements that the database holds count, so that a stopped search goes on where it was.

    Returns:
        None where nothing valid was found.
    """
    logging.getLogger("tvm.s_tir.meta_schedule").setLevel(logging.ERROR)
    module = tvm.IRModule({"main": plain.with_attr("global_symbol", "main")})
    database = ms.database.JSONDatabase(work_dir=str(folder))
    known = 0
    if database.has_workload(module):
        workload = database.commit_workload(module)
        known = len(database.get_top_k(workload, trials + 1))
    if trials > known:
        modules: dict[str, tirx.PrimFunc] = {}
        ms.tir_integration.tune_tir(
            module,
            target,
            str(folder),
            max_trials_global=trials - known,
            num_trials_per_iter=_BATCH,
            builder=_Keep(modules),
            runner=_Run(modules, meter),
            database=database,
            cost_model="xgb",
            num_tuning_cores=1,
            # TVM's default also deletes a folder of each built candidate; here is none.
            measure_callbacks=[
                ms.measure_callback.AddToDatabase(),
                ms.measure_callback.UpdateCostModel(),
            ],
        )
    schedule = ms.tir_integration.compile_tir(database, module, target)
    return None if schedule is None else schedule.mod["main"]


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
