"""Native artifacts: built, disassembled, run by the runtime alone, refused where they must be."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from artifact_folders import called, python
from native_artifacts import compile_for
from needs import unavailable

from compile.build import main
from edge_vessel import artifact
from edge_vessel.artifact import open_artifact
from edge_vessel.errors import ArtifactError

pytestmark = pytest.mark.slow

# Runs in a process of its own: the compiler's runtime is another copy than the artifact's.
RUN = """
import json, sys, threading
import numpy as np
from pathlib import Path
from edge_vessel import engines
from edge_vessel.artifact import open_artifact
from edge_vessel.selftest import run_selftest
artifact = open_artifact(Path(sys.argv[1]), (), allow_unsigned=True)
engine = engines.create(artifact, int(sys.argv[2]))
side = artifact.manifest.input.height
images = np.random.default_rng(0).integers(0, 256, (4, side, side, 3), dtype=np.uint8)
images.setflags(write=False)
alone = [engine.run(image) for image in images]
strided = engine.run(np.repeat(images[0], 2, axis=1)[:, ::2])
found = [None] * 4
def work(i):
    for _ in range(5):
        found[i] = engine.run(images[i])
threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
one = engines.create(artifact, 1)
both = abs(one.run(images[0]) - alone[0]).max()
two = engines.create(artifact, engines.choose_threads(artifact, 2))
both = max(both, abs(two.run(images[0]) - alone[0]).max())
print(json.dumps({
    "any_threads": float(both),
    "selftest": run_selftest(artifact, threads=1).max_abs_difference,
    "together": max(float(abs(a - b).max()) for a, b in zip(alone, found)),
    "strided": float(abs(strided - alone[0]).max()),
    "shape": alone[0].shape, "dtype": str(alone[0].dtype), "deviation": float(alone[0].std()),
    "heavy": [name for name in ("tvm", "torch", "onnx") if name in sys.modules],
}))
"""


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("native") / "x86_64"
    done = compile_for("x86_64", folder, 160, "--explain")
    assert done.returncode == 0, done.stderr
    assert re.search(r"sink_pointwise +4 +", done.stdout)
    assert re.search(r"^ +16 +join +160x160x5 ", done.stdout, re.MULTILINE)
    return folder


@pytest.mark.parametrize("threads", [1, 2])
def test_the_runtime_alone_runs_it(native: Path, threads: int) -> None:
    done = python("-c", RUN, native, str(threads))
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["selftest"] < 1e-3  # golden.npz is rounded to float16
    assert facts["together"] == 0.0
    assert facts["strided"] == 0.0
    assert facts["any_threads"] == 0.0
    assert (facts["shape"], facts["dtype"]) == ([160, 160], "float32")
    assert facts["deviation"] > 0
    assert facts["heavy"] == []


@pytest.mark.data
def test_parity_of_every_stage_stands_in_the_manifest(data: Path, tmp_path: Path) -> None:
    done = compile_for("x86_64", tmp_path / "a", 544, "--data", data)
    assert done.returncode == 0, done.stderr
    metrics = open_artifact(tmp_path / "a", (), allow_unsigned=True).manifest.metrics
    largest = {m.stage: m.value for m in metrics if m.name.startswith("largest")}
    dice = {m.stage: m.value for m in metrics if m.name == "dice pooled" and "full" in m.data}
    assert set(largest) == {"onnx", "tvm"}
    assert max(largest.values()) < 1e-4
    assert dice["torch"] == dice["onnx"] == dice["tvm"]


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("model.so", b"\x7fELF but no more", "not a 64-bit shared object"),
        ("model.so", b"#!/bin/sh\n" * 10, "not a 64-bit shared object"),
        ("libtvm_runtime.so", b"x" * 100, "not a 64-bit shared object"),
        ("model.so", "libtvm_runtime.so", "holds no compiled network"),
        ("libtvm_runtime.so", "truncated", "ends too early"),
        ("model.so", "other machine", "holds code for aarch64"),
    ],
)
def test_wrong_native_code_is_one_line(
    native: Path, tmp_path: Path, file: str, content: bytes | str, says: str
) -> None:
    built = open_artifact(native, (), allow_unsigned=True)
    files = {record.name: built.read(record.name) for record in built.manifest.files}
    if content == "truncated":
        content = files[file][: len(files[file]) // 2]
    elif content == "other machine":
        content = files[file][:18] + (183).to_bytes(2, "little") + files[file][20:]
    files[file] = content if isinstance(content, bytes) else files[content]
    artifact.write(tmp_path / "a", built.manifest, files, None)
    done = python("-m", "edge_vessel.artifact", "verify", tmp_path / "a", "--allow-unsigned")
    assert done.returncode == 4, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--target", "rk3398"], "did you mean rk3399"),
        (["--target", "rk3399", "--threads", "0"], "threads 0"),
        (["--engine", "tvm"], "needs --target"),
    ],
)
def test_wrong_calls_are_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = called(main, "none.ckpt", "-o", tmp_path / "a", "--evaluation", "none.json",
                  "--golden", "none.png", *arguments)  # fmt: skip
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_code_for_the_a72_is_vector_code_of_armv8_0(tmp_path: Path) -> None:
    if shutil.which("aarch64-linux-gnu-objdump") is None:
        unavailable("aarch64-linux-gnu-objdump (binutils-aarch64-linux-gnu) is not installed")
    done = compile_for("cortex-a72", tmp_path / "a")
    assert done.returncode == 0, done.stderr
    listing = subprocess.run(
        ["aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", tmp_path / "a" / "model.so"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    names = re.findall(r"^ +[0-9a-f]+:\t(\S+)", listing, re.MULTILINE)
    assert sum(name == "fmla" for name in names) > 500
    # ARMv8.1 atomics, 8.2 dot product and half precision, SVE.
    later = re.compile(r"(cas|swp|ld(add|clr|eor|set)|[su]dot|fmlal|sqrdmla|bf|whilel|ptrue)")
    assert [name for name in names if later.match(name) and name not in ("bfi", "bfxil")] == []
    assert not re.search(r"\bv\d+\.8h, v\d+\.8h, v\d+\.8h", "".join(
        line for line in listing.splitlines() if "\tf" in line
    ))  # fmt: skip
    with pytest.raises(ArtifactError, match="is built for aarch64-linux-gnu"):
        open_artifact(tmp_path / "a", (), allow_unsigned=True).read("model.so")


def test_golden_and_engine_are_in_the_manifest(native: Path) -> None:
    manifest = open_artifact(native, (), allow_unsigned=True).manifest
    assert manifest.engine.name == "tvm"
    assert (manifest.input.dtype, manifest.input.layout) == ("uint8", "NHWC")
    assert {record.name for record in manifest.files} == {
        "golden.npz", "libtvm_runtime.so", "model.so",
    }  # fmt: skip
    golden = np.load(native / "golden.npz")
    assert golden["image"].shape == (160, 160, 3)
