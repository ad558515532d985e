"""Estimates of a board's core: functions whose work is known, the tuner's meter, missing tools."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest
from needs import unavailable
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.tirx.script import builder as T

from compile import rewrite, targets
from compile.estimate.emulated import Estimate
from compile.estimate.integers import kernels
from compile.estimate.machine import MACHINES
from compile.estimate.meter import EstimateMeter, explain
from compile.explain import multiply_adds
from compile.plan import plan
from compile.schedules.vector import Expr, constant, load, store
from compile.size import square
from compile.source import from_checkpoint
from compile.tuning import Records, Tuner
from compile.tuning.search import candidates
from compile.tvm_build import module
from edge_vessel.errors import DeviceError, UsageError
from edge_vessel.preprocessing import OFFSET, SCALE

A72 = targets.find("cortex-a72")
LANES = 4
LINE = 64
KIB, MIB = 1024, 1024 * 1024
REPOSITORY = Path(__file__).parents[2]
TOOLS = ("gcc", "aarch64-linux-gnu-gcc", "qemu-aarch64", "llvm-mc", "llvm-mca")

Body = Callable[[Expr, Expr], None]


def function(size: int, body: Body) -> tirx.PrimFunc:
    """`body` reads and writes two flat maps of `size` bytes."""
    with IRBuilder() as builder:
        with T.prim_func(s_tir=False):
            T.func_name("f")
            T.func_attr({"tirx.noalias": True})
            body(*(T.arg(name, T.buffer((size // 4,), "float32")) for name in "ab"))
        return builder.get()


def multiplying(passes: int) -> tirx.PrimFunc:
    """`passes` times 256 vector FMLAs on 4 KiB."""

    def body(a: Expr, b: Expr) -> None:
        with T.serial(0, passes), T.serial(0, KIB // LANES) as vector:
            x = load(a, vector * LANES, LANES)
            store(b, load(b, vector * LANES, LANES) + x * x, vector * LANES, LANES)

    return function(4 * KIB, body)


def parallel(a: Expr, b: Expr) -> None:
    with T.parallel(0, 16) as task, T.serial(0, 1024 // LANES) as vector:
        x = load(a, task * 1024 + vector * LANES, LANES)
        store(b, load(b, task * 1024 + vector * LANES, LANES) + x * x, vector * LANES, LANES)


def doubling(a: Expr, b: Expr) -> None:
    with T.serial(0, int(b.shape[0]) // LANES) as vector:
        store(b, load(a, vector * LANES, LANES) * constant(2.0, LANES), vector * LANES, LANES)


def three_lines(a: Expr, b: Expr) -> None:
    """1000 rounds over three lines of one set, which has two ways."""
    with T.serial(0, 1000) as turn, T.serial(0, 3) as line:
        at = line * (16 * KIB // 4) + turn % (LINE // 16) * LANES
        store(b, load(b, at, LANES) * constant(2.0, LANES), at, LANES)


@pytest.fixture(scope="module")
def meter() -> EstimateMeter:
    for tool in TOOLS:
        if shutil.which(tool) is None:
            unavailable(f"{tool} is not installed")
    return EstimateMeter(A72)


def test_a_multiply_add_a_cycle_and_no_misses_in_a_small_map(meter: EstimateMeter) -> None:
    multiplies = 100 * 256
    found = meter.estimate(multiplying(100))
    # One for each FMLA; at most the two loads, the store and the loop around it besides.
    assert multiplies <= found.cycles <= 4 * multiplies
    assert found.l1_misses < 20
    assert found.l2_misses == 0
    assert found.seconds == pytest.approx(found.cycles / 1.8e9, rel=0.02)
    assert meter.estimate(multiplying(200)).cycles == pytest.approx(2 * found.cycles, rel=0.02)


def test_one_task_does_the_work_of_all_threads(meter: EstimateMeter) -> None:
    multiplies = 16 * 256
    found = meter.estimate(function(64 * KIB, parallel))
    assert multiplies <= found.cycles <= 4 * multiplies


def test_a_large_map_streams_from_memory_and_back(meter: EstimateMeter) -> None:
    size = 4 * MIB
    found = meter.estimate(function(size, doubling))
    assert found.bytes_read == pytest.approx(2 * size, rel=0.02)
    assert found.bytes_written == pytest.approx(size, rel=0.02)
    assert found.l1_misses == pytest.approx(2 * size / LINE, rel=0.02)
    assert found.seconds == pytest.approx(3 * size / MACHINES["cortex-a72"].bandwidth, rel=0.02)


def test_a_map_of_the_second_level_stays_there(meter: EstimateMeter) -> None:
    size = 256 * KIB
    found = meter.estimate(function(size, doubling))
    assert found.l1_misses == pytest.approx(2 * size / LINE, rel=0.02)
    assert found.l2_misses < 20


def test_lines_of_one_set_push_each_other_out(meter: EstimateMeter) -> None:
    found = meter.estimate(function(64 * KIB, three_lines))
    # Each load at least; a store too, where the compiler has put other loads before it.
    assert 3000 <= found.l1_misses <= 6000
    assert found.l2_misses == 0


def test_all_functions_at_once_cost_what_each_costs_alone(meter: EstimateMeter) -> None:
    functions = {"small": multiplying(10), "large": function(MIB, doubling)}
    together = explain(functions, A72)
    assert list(together) == ["small", "large"]
    for name, one in functions.items():
        alone = meter.estimate(one)
        assert together[name].cycles == pytest.approx(alone.cycles, rel=0.02)
        assert together[name].bytes_read == pytest.approx(alone.bytes_read, rel=0.02, abs=LINE * 9)
    assert explain({}, A72) == {}


def test_threads_share_the_second_level(meter: EstimateMeter) -> None:
    assert meter.place == "estimate cortex-a72"
    shared = EstimateMeter(A72, threads=4)
    assert shared.place == "estimate cortex-a72, 25% of L2"
    # Both maps fill it, or twice what a quarter of it holds.
    assert shared.estimate(function(256 * KIB, doubling)).l2_misses > 2 * 256 * KIB / LINE * 0.9


def test_the_tuner_takes_the_candidate_of_fewer_cycles(
    meter: EstimateMeter, tmp_path: Path
) -> None:
    core = A72.core(1)
    tuner = Tuner(meter, Records(tmp_path), 9, A72.tvm(1))
    best = tuner.choose("f", lambda one: multiplying(one.registers), core)
    assert best.registers == min(one.registers for one in candidates(core).values())
    _, seconds, first = tuner.chosen["f"]
    assert first is not None
    assert seconds < first


def test_another_core(meter: EstimateMeter) -> None:
    if shutil.which("llvm-mca-19") is None:
        unavailable("llvm-mca-19 (llvm-19) is not installed")
    older, newer = (
        explain({"f": multiplying(100)}, targets.find(name))["f"] for name in ("rpi4", "rpi5")
    )
    assert newer.seconds < older.seconds


def test_integers_pay_where_a_sum_is_long(meter: EstimateMeter) -> None:
    """What decision 8 says of the A72."""
    chosen = {
        name: function
        for name, function in kernels(A72).items()
        if name.startswith(("pointwise_96", "depthwise"))
    }
    found = {name: one.cycles for name, one in meter.estimates(chosen).items()}
    assert found["pointwise_96_int8"] < 0.8 * found["pointwise_96_fp32"]
    assert found["depthwise_int8"] > found["depthwise_fp32"]


@dataclass(frozen=True)
class Cost:
    """Of one call on a Cortex-A72 at 1.8 GHz, 9 cycles a hit in L2 and 5.6 GB/s."""

    cycles: float
    l2_hits: int
    moved_bytes: int
    milliseconds: float


@pytest.mark.parametrize(
    "cost",
    [
        Cost(1.8e6, 0, 0, 1.0),
        Cost(1.8e6, 200_000, 0, 2.0),
        Cost(1.8e6, 0, 5_600_000, 1.0),
        Cost(1.8e6, 200_000, 16_800_000, 3.0),
    ],
)
def test_seconds_are_those_of_the_slower_one_of_core_and_memory(cost: Cost) -> None:
    machine = MACHINES["cortex-a72"]
    core = machine.core_seconds(cost.cycles, cost.l2_hits)
    found = Estimate(0, cost.cycles, 0, 0, 0, 0, core, machine.memory_seconds(cost.moved_bytes))
    assert 1e3 * found.seconds == pytest.approx(cost.milliseconds)
    assert found.serial_seconds == core + found.memory_seconds


def test_missing_programs_are_named_with_their_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        EstimateMeter(A72)
    assert str(caught.value) == (
        "an estimate needs gcc, aarch64-linux-gnu-gcc, qemu-aarch64, llvm-mc, llvm-mca: apt-get "
        "install gcc libc6-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user llvm"
    )


@pytest.mark.parametrize("name", ["x86_64", "generic-aarch64", "rk3399-mali", "jetson-orin"])
def test_other_machines_have_no_estimate(name: str) -> None:
    with pytest.raises(UsageError, match=f"^{name}: no estimate.*cortex-a72, cortex-a76$"):
        EstimateMeter(targets.find(name))


def test_a_qemu_without_plugins_says_what_it_said(
    meter: EstimateMeter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    static = tmp_path / "qemu-aarch64"
    static.write_text("#!/bin/sh\necho 'qemu: unknown option plugin' >&2; exit 1\n")
    static.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(DeviceError, match="qemu-aarch64 ended with 1: qemu: unknown option"):
        meter.estimate(multiplying(1))


def test_what_cannot_be_linked_is_one_line(meter: EstimateMeter) -> None:
    def calls_nobody(a: Expr, b: Expr) -> None:
        T.evaluate(T.call_extern("int32", "nobody_has_this", b.data))

    with pytest.raises(DeviceError, match=r"gcc ended with 1: .*nobody_has_this") as caught:
        meter.estimate(function(KIB, calls_nobody))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.slow
def test_a_network_takes_no_less_than_its_multiply_adds(meter: EstimateMeter) -> None:
    size = square(160)
    checkpoint = REPOSITORY / "train" / "weights" / "m2unet_drive.ckpt"
    report = REPOSITORY / "train" / "results" / "m2unet_drive.json"
    content, _ = rewrite.apply(from_checkpoint(checkpoint, size, [report]).content)
    steps = plan(onnx.load_from_string(content), SCALE, OFFSET, bytes_in=True)
    functions = {
        name.name_hint: function
        for name, function in module(steps, A72.core(1)).functions_items()
        if isinstance(function, tirx.PrimFunc)
    }
    found = explain(functions, A72)
    assert len(found) == len(steps) == 17
    least = sum(multiply_adds(step.bottleneck) for step in steps) / LANES
    assert 1.0 <= sum(one.cycles for one in found.values()) / least <= 1.8
