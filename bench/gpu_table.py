"""A run on a GPU as a table."""

from bench import conditions, tables
from bench.gpu_file import GpuRun
from bench.section import Section

_FIGURES = ("p50 ms", "p90 ms", "p99 ms", "max ms")
_STEPS = {
    "to_device": "copy to the device",
    "network": "network alone",
    "from_device": "copy back",
    "frame": "frame, copies included",
}


def section(run: GpuRun) -> Section:
    """A row a step of the frame."""
    rows = tuple(
        (
            _STEPS[name],
            *(f"{value:.3f}" for value in (one.p50_ms, one.p90_ms, one.p99_ms, one.max_ms)),
        )
        for name, one in vars(run.stages).items()
    )
    height, width = run.subject.input
    title = (
        f"{run.subject.name} {run.subject.precision} {width}x{height} on {run.device}, batch 1; "
        f"{run.kind} by {run.clock}"
    )
    frames = f"{run.stages.frame.count} frames, first {run.first_inference_ms:.1f} ms"
    return Section(
        title,
        ("step", *_FIGURES),
        rows,
        (f"{frames}, load {run.load_ms:.0f} ms; {conditions.course(run.conditions)}", _power(run)),
    )


def show(run: GpuRun) -> None:
    """On stdout."""
    tables.show_section(section(run), right=len(_FIGURES))


def _power(run: GpuRun) -> str:
    energy = run.energy
    if energy is None:
        return "power: no meter; --meter nvml takes NVIDIA's own"
    if energy.loaded_power_w is None or energy.per_inference_j is None:
        return f"no joules: {energy.why}"
    above = energy.above_idle_per_inference_j
    idle = "" if above is None else f", {above} J above idle"
    short = ", short windows" if energy.short else ""
    return (
        f"{energy.loaded_power_w} W loaded, {energy.per_inference_j} J a frame{idle}: "
        f"{run.meter}{short}"
    )
