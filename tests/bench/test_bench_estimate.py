"""Estimates of a whole inference: what is run, what is refused, what the figures are made of."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from artifact_folders import python
from native_artifacts import compile_for
from needs import unavailable

from bench import (
    estimate_ncnn,
    estimate_validation,
    estimated,
    reference_networks,
    whole_inference,
)
from bench.estimate_file import Model
from bench.reference_networks import REFERENCES
from compile import targets
from compile.estimate.emulated import Estimate
from edge_vessel import models
from edge_vessel.artifact import Artifact, open_artifact
from edge_vessel.errors import ArtifactError, DeviceError, UsageError

SIDE = 96
TOOLS = ("gcc", "aarch64-linux-gnu-gcc", "qemu-aarch64", "llvm-mc", "llvm-mca", "llvm-mca-19")
A72 = targets.find("cortex-a72")
MODEL = Model("cortex-a72", "p", 1800.0, 32768, 2, 1048576, 16, 64, 9.0, 5600.0, "q", "m")


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for tool in TOOLS:
        if shutil.which(tool) is None:
            unavailable(f"{tool} is not installed")
    folder = tmp_path_factory.mktemp("native") / "rk3399"
    done = compile_for("rk3399", folder, SIDE, "--threads", "2")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def artifact(native: Path) -> Artifact:
    return open_artifact(native, (), allow_unsigned=True)


def _estimate(*arguments: str | Path):
    return python("-W", "ignore", "-m", "bench", "estimate", *arguments)


@pytest.mark.slow
def test_a_whole_inference(native: Path, tmp_path: Path) -> None:
    output = tmp_path / "estimate.json"
    done = _estimate(native, "--allow-unsigned", "--output", output)
    assert done.returncode == 0, done.stderr
    assert "one cortex-a72 at 1800 MHz, estimated" in done.stdout
    assert "l2_hit_cycles 9" in done.stdout
    assert "published times are" in done.stdout
    report = json.loads(output.read_text())
    assert report["kind"] == "estimated"
    assert report["model"]["clock_mhz"] == 1800
    cost, adds = report["cost"], report["subject"]["multiply_adds"]
    # No more than four multiply-adds a cycle; the schedules keep above a third of that.
    assert 1.0 <= cost["cycles"] / (adds / 4) <= 3.0
    assert cost["ms"] == max(cost["core_ms"], cost["memory_ms"])
    assert cost["percent_of_peak"] == pytest.approx(100 * adds / (cost["ms"] * 7.2e6), abs=0.1)
    # At most all weights, all maps; the network and its maps fit no first-level cache.
    assert cost["l1_misses"] > cost["l2_misses"]
    assert report["validation"]["networks"]


@pytest.mark.usefixtures("native")
def test_the_other_core_is_modelled_as_a_neoverse() -> None:
    found = estimated.model("cortex-a76")
    assert (found.pipelines, found.clock_mhz, found.l1_ways) == ("neoverse-n1", 2400, 4)
    assert "19" in found.llvm_mca


def test_no_signature_no_emulation(native: Path, tmp_path: Path) -> None:
    unsigned = _estimate(native)
    assert unsigned.returncode == 4
    assert "there is no signature" in unsigned.stderr
    changed = shutil.copytree(native, tmp_path / "changed")
    library = changed / "model.so"
    library.write_bytes(library.read_bytes()[:-1] + b"!")
    done = _estimate(changed, "--allow-unsigned")
    assert done.returncode == 4
    assert "was changed" in done.stderr.splitlines()[-1]


def test_a_portable_artifact_is_refused() -> None:
    portable = open_artifact(models.default_path())
    with pytest.raises(ArtifactError, match="is for onnx on any, accelerator none; an estimate"):
        whole_inference.refuse(portable, "cortex-a72", A72.features)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"triple": "x86_64-linux-gnu"}, "is for tvm on x86_64-linux-gnu"),
        ({"accelerator": "cuda:sm_87"}, "accelerator cuda:sm_87"),
        ({"features": ("asimd", "asimdhp")}, "needs asimdhp, which no cortex-a72 has"),
    ],
)
def test_other_machines_code_is_refused(
    artifact: Artifact, change: dict[str, object], says: str
) -> None:
    target = replace(artifact.manifest.target, **change)
    other = replace(artifact, manifest=replace(artifact.manifest, target=target))
    with pytest.raises(ArtifactError, match=says):
        whole_inference.refuse(other, "cortex-a72", A72.features)


def test_another_compilers_code_is_refused(artifact: Artifact) -> None:
    engine = replace(artifact.manifest.engine, version="0.1 (tvm-ffi 0.1.0)")
    other = replace(artifact, manifest=replace(artifact.manifest, engine=engine))
    with pytest.raises(ArtifactError, match=r"was compiled by 0\.1 .*compile it again"):
        whole_inference.refuse(other, "cortex-a72", A72.features)


@pytest.mark.parametrize("count", [SIDE * SIDE, 7])
def test_another_result_is_no_estimate(artifact: Artifact, tmp_path: Path, count: int) -> None:
    np.ones(count, np.float32).tofile(tmp_path / "probability.raw")
    with pytest.raises(DeviceError, match="emulated, its probabilities are"):
        whole_inference.check_output(artifact, tmp_path)


@dataclass(frozen=True)
class Case:
    """One G multiply-adds, and what an estimate says of them."""

    core_s: float
    memory_s: float
    precision: str
    ms: float
    percent: float | None


@pytest.mark.parametrize(
    "case",
    [
        Case(0.2, 0.1, "fp32", 200.0, 69.4),
        Case(0.1, 0.4, "fp32", 400.0, 34.7),
        Case(0.2, 0.1, "int8", 200.0, None),
    ],
)
def test_milliseconds_and_peak(case: Case) -> None:
    found = Estimate(10, 3.6e8, 5, 3, 192, 64, case.core_s, case.memory_s)
    cost = estimated.cost(found, 10**9, MODEL, case.precision)
    assert (cost.ms, cost.ms_per_gmadd, cost.percent_of_peak) == (case.ms, case.ms, case.percent)
    assert cost.serial_ms == pytest.approx(1e3 * (case.core_s + case.memory_s))


@pytest.mark.parametrize("name", REFERENCES)
def test_the_reference_networks_are_those_of_their_papers(name: str) -> None:
    reference = REFERENCES[name]
    multiply_adds, parameters = reference_networks.count(reference.build().eval())
    assert multiply_adds / 1e6 == pytest.approx(reference.multiply_adds, rel=0.03)
    assert parameters / 1e6 == pytest.approx(reference.parameters, rel=0.03)


def test_the_stored_validation() -> None:
    found = estimated.read_validation("cortex-a72")
    assert found is not None
    assert [one.name for one in found.networks] == list(REFERENCES)
    for one in found.networks:
        assert one.published_ms == REFERENCES[one.name].published_ms
        assert one.published_to_estimated == pytest.approx(one.published_ms / one.cost.ms, abs=1e-3)
    low, high = found.ratios
    assert 0.75 < low <= high < 1.33
    assert estimated.read_validation("cortex-a76") is None


def _without_kind(text: str) -> str:
    return text.replace('"kind": "estimated"', '"kind": "measured"')


@pytest.mark.parametrize("damage", [_without_kind, lambda text: text[:-9], lambda _: "[]"])
def test_a_damaged_validation_is_one_line(
    damage: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "validation.json"
    path.write_text(damage(estimated.VALIDATIONS["cortex-a72"].read_text()))
    monkeypatch.setitem(estimated.VALIDATIONS, "cortex-a72", path)
    with pytest.raises(UsageError, match="not a run of this version's bench"):
        estimated.read_validation("cortex-a72")


@pytest.mark.parametrize(
    ("main", "more"),
    [
        (estimate_validation.main, []),
        (estimate_ncnn.main, ["m.param", "--side", "544", "--multiply-adds", "1000"]),
    ],
)
def test_a_root_without_ncnn_is_one_line(
    main: Callable[[list[str]], int],
    more: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([str(tmp_path), *more]) == 2
    said = capsys.readouterr().err
    assert said == (
        f"error: {tmp_path}: no arm64 root folder with ncnn; bench/README.md makes one\n"
    )


def test_what_nobody_has_compared_says_so() -> None:
    cost = estimated.cost(Estimate(10, 3.6e8, 5, 3, 192, 64, 0.2, 0.1), 10**9, MODEL, "int8")
    said = estimated.text("tiny", cost, 10**9, MODEL, None)
    assert "error of the model: not known" in said
    assert "peak" not in said
