"""`python -m bench gpu ARTIFACT`: a frame on a GPU, with its copies and without them.

Batch 1. With `--meter`, the joules of a frame, back to back: `nvml` is NVIDIA's own.
"""

import argparse
import sys
import time

from bench import conditions, document, flags, gpu_table, run_file
from bench.cores import choose_cores
from bench.gpu_clock import CudaEvents, GpuClock, WaitingClock
from bench.gpu_file import SCHEMA_VERSION, GpuRun, GpuStages, write
from bench.input_image import InputImage
from bench.joules import Joules, joules
from bench.subject import Subject
from bench.trace import TracedMeter
from edge_vessel import engines, meters, models, signing
from edge_vessel.accelerator import device_name
from edge_vessel.artifact import Artifact, open_artifact
from edge_vessel.board import read_board
from edge_vessel.command_line import Parser, add_meter_flag, add_trust_flags, path, printable
from edge_vessel.engines.cores import available
from edge_vessel.engines.tvm import TvmEngine
from edge_vessel.engines.tvm_library import foreign_function_interface
from edge_vessel.errors import UsageError
from edge_vessel.manifest import NONE

_IDLE_S = 10.0

Samples = list[list[float]]


def gpu(arguments: list[str]) -> int:
    """Measures, prints, writes.

    Raises:
        UsageError: an option, an image, or an artifact for the CPU.
        ArtifactError: an artifact that cannot be trusted, or whose GPU is not here.
        DeviceError: the machine is busy, the GPU, the meter or the disk failed.
    """
    options = _parser().parse_args(arguments)
    trusted = signing.trusted_keys(options.trusted_key)
    artifact = open_artifact(models.resolve(options.artifact), trusted, options.allow_unsigned)
    accelerator = artifact.manifest.target.accelerator
    if accelerator == NONE:
        raise UsageError(
            f"{options.artifact}: is for the CPU: measure it with bench latency, or compile it for "
            "a GPU"
        )
    artifact.check_target()
    board = read_board()
    cores = choose_cores(None, board, available())
    meter = TracedMeter(meters.find(options.meter))
    try:
        before = conditions.begin(options.force, 0.0, board, cores)
        image = InputImage.of(artifact, options.image)
        started = time.perf_counter()
        engine = _engine(artifact)
        load_ms = 1e3 * (time.perf_counter() - started)
        clock = _clock(artifact)
        (first,) = _run(engine, image, clock, 0.0)
        if options.warmup:
            _run(engine, image, clock, options.warmup)
        samples, energy = _measure(options, engine, image, clock, meter)
    finally:
        meter.close()
    after = read_board()
    run = GpuRun(
        SCHEMA_VERSION,
        "gpu",
        conditions.kind_of(after),
        run_file.now(),
        conditions.end(before, after),
        Subject.of(artifact, f"{engine.name} {engine.version}"),
        f"{accelerator}, {printable(device_name(accelerator))}",
        clock.name,
        image.name,
        image.size,
        options.warmup,
        round(load_ms, 3),
        round(sum(first), 3),
        GpuStages.of(samples),
        None if energy is None else f"{meter.name}, {meter.kind}",
        energy,
        samples=None,
        trace=None,
    )
    conditions.warn(run.conditions)
    if options.output is not None:
        write(options.output, run, samples, meter.readings)
    if options.json:
        sys.stdout.write(document.text(run))
    else:
        gpu_table.show(run)
    return 0


def _engine(artifact: Artifact) -> TvmEngine:
    found = engines.create(artifact, 1)
    if not isinstance(found, TvmEngine):
        raise UsageError(f"{artifact.folder}: the engine {found.name} runs on no GPU")
    return found


def _clock(artifact: Artifact) -> GpuClock:
    kind = artifact.manifest.target.accelerator.partition(":")[0]
    if kind == "cuda":
        return CudaEvents()
    ffi = foreign_function_interface(artifact.manifest.engine.version, artifact.folder)
    return WaitingClock(ffi, kind)


def _run(engine: TvmEngine, image: InputImage, clock: GpuClock, seconds: float) -> Samples:
    """One frame or more; milliseconds by `STEPS`."""
    found: Samples = []
    until = time.perf_counter() + seconds
    while not found or time.perf_counter() < until:
        engine.run_marked(image.pixels, clock.mark)
        found.append(clock.times_ms())
    return found


def _measure(
    options: argparse.Namespace,
    engine: TvmEngine,
    image: InputImage,
    clock: GpuClock,
    meter: TracedMeter,
) -> tuple[Samples, Joules | None]:
    if meter.kind == "none":
        return _run(engine, image, clock, options.duration), None
    idle_before = meter.measure_idle("idle before", options.idle)
    with meter.measure("frames") as window:
        samples = _run(engine, image, clock, options.duration)
    idle_after = meter.measure_idle("idle after", options.idle)
    total_ms = [sum(one) for one in samples]
    return samples, joules(meter, idle_before, window.energy, idle_after, total_ms)


def _parser() -> argparse.ArgumentParser:
    parse = Parser(prog="python -m bench gpu", description=__doc__)
    parse.add_argument("artifact", type=path, help="one for a GPU")
    parse.add_argument("--image", type=path, metavar="FILE", help="default: the golden one")
    parse.add_argument("--warmup", type=flags.seconds, default=2.0, metavar="S", help="default: 2")
    parse.add_argument(
        "--duration", type=flags.seconds, default=10.0, metavar="S", help="default: 10"
    )
    parse.add_argument(
        "--idle", type=flags.seconds, default=_IDLE_S, metavar="S",
        help="before and after, where there is a meter; default: 10",
    )  # fmt: skip
    parse.add_argument("--force", action="store_true", help="on a busy machine too")
    add_meter_flag(parse)
    add_trust_flags(parse)
    parse.add_argument("--output", type=flags.output, metavar="JSON")
    parse.add_argument("--json", action="store_true", help="print the run as JSON")
    return parse
