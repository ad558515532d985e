import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from artifact_folders import SIZE, golden_pair, model, npz, python, write

from edge_vessel.artifact import open_artifact
from edge_vessel.errors import ArtifactError
from edge_vessel.selftest import TOLERANCE, load_golden, run_selftest

IMAGE, PROBABILITY = golden_pair()
PATH = Path("folder/golden.npz")
VALID = npz(image=IMAGE, probability=PROBABILITY)


def test_the_golden_pair_comes_back():
    golden = load_golden(VALID, SIZE, SIZE, PATH)
    assert np.array_equal(golden.image, IMAGE)
    assert np.array_equal(golden.probability, PROBABILITY)


def test_the_engine_agrees_with_the_network_written_out_in_numpy(tmp_path):
    artifact = open_artifact(write(tmp_path / "a"), (), allow_unsigned=True)
    result = run_selftest(artifact, 1)
    assert result.passed
    assert 0 <= result.max_abs_difference < TOLERANCE / 2
    assert result.inference_ms > 0


@dataclass
class DifferenceCase:
    name: str
    shift: float
    passed: bool


DIFFERENCE_CASES = [
    DifferenceCase("within", TOLERANCE * 0.5, True),
    DifferenceCase("beyond", TOLERANCE * 2, False),
    DifferenceCase("not a number", np.nan, False),
    DifferenceCase("infinite", np.inf, False),
]


@pytest.mark.parametrize("case", DIFFERENCE_CASES, ids=lambda case: case.name)
def test_one_pixel_decides(case, tmp_path):
    expected = PROBABILITY.copy()
    darkest = np.unravel_index(expected.argmin(), expected.shape)
    expected[darkest] += np.float16(case.shift)
    golden = npz(image=IMAGE, probability=expected)
    artifact = open_artifact(write(tmp_path / "a", golden=golden), (), allow_unsigned=True)
    assert run_selftest(artifact, 1).passed is case.passed


def header(descr: str, shape: tuple[int, ...]) -> bytes:
    written = io.BytesIO()
    fields = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(written, fields)
    return written.getvalue()


def archive(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return packed.getvalue()


def npy(array: np.ndarray) -> bytes:
    written = io.BytesIO()
    np.lib.format.write_array(written, array)
    return written.getvalue()


def lying_directory() -> bytes:
    """Declares 100 bytes for a member that unpacks to 64 MiB."""
    content = bytearray(archive(image=bytes(2**26), probability=npy(PROBABILITY)))
    size = (2**26).to_bytes(4, "little")
    return bytes(content).replace(size, (100).to_bytes(4, "little"))


class Exploding:
    def __reduce__(self):
        return Path.touch, (Path("/tmp/edge-vessel-pickle-ran"),)


PICKLE = np.array([[Exploding()] * SIZE] * SIZE, dtype=object)


@dataclass
class GoldenCase:
    name: str
    build: Callable[[], bytes]
    message: str


P = npy(PROBABILITY)
GOLDEN_CASES = [
    GoldenCase("empty", lambda: b"", "not a zip file"),
    GoldenCase("garbage", lambda: b"PK\x03\x04" + b"x" * 100, "not a zip file"),
    GoldenCase("truncated", lambda: VALID[:-30], "zip"),
    GoldenCase("no image", lambda: npz(probability=PROBABILITY), "it holds"),
    GoldenCase(
        "one too many", lambda: npz(image=IMAGE, probability=PROBABILITY, x=IMAGE), "it holds"
    ),
    GoldenCase(
        "smaller", lambda: npz(image=IMAGE[1:], probability=PROBABILITY), "is uint8 (15, 16, 3)"
    ),
    GoldenCase(
        "float image",
        lambda: npz(image=IMAGE.astype(np.float16), probability=PROBABILITY),
        "is float16 (16, 16, 3), not uint8",
    ),
    GoldenCase(
        "Fortran order",
        lambda: npz(image=np.asfortranarray(IMAGE), probability=PROBABILITY),
        "image.npy is",
    ),
    GoldenCase("pickle", lambda: npz(image=IMAGE, probability=PICKLE), "probability.npy"),
    GoldenCase(
        "bare pickle",
        lambda: archive(image=PICKLE.dumps(), probability=P),
        "magic string",
    ),
    GoldenCase(
        "real bomb",
        lambda: archive(image=header("|u1", (2**28,)) + bytes(2**28), probability=P),
        "unpacks to 268435584 bytes, at most 1792",
    ),
    GoldenCase(
        "declared bomb",
        lambda: archive(image=header("|u1", (2**40, 16, 3)), probability=P),
        "is uint8 (1099511627776, 16, 3)",
    ),
    GoldenCase("lying directory", lying_directory, ""),
    GoldenCase(
        "data missing",
        lambda: archive(image=header("|u1", (SIZE, SIZE, 3)) + b"x", probability=P),
        "golden pair",
    ),
    GoldenCase(
        "bzip2", lambda: archive(zipfile.ZIP_BZIP2, image=npy(IMAGE), probability=P), "method 12"
    ),
    GoldenCase(
        "npy 2.0", lambda: archive(image=b"\x93NUMPY\x02\x00" + bytes(99), probability=P), "1.0"
    ),
    GoldenCase(
        "header of brackets",
        lambda: archive(image=b"\x93NUMPY\x01\x00\x64\x00" + b"(" * 100, probability=P),
        "golden pair",
    ),
]


@pytest.mark.parametrize("case", GOLDEN_CASES, ids=lambda case: case.name)
def test_what_is_no_golden_pair_is_refused(case):
    with pytest.raises(ArtifactError) as caught:
        load_golden(case.build(), SIZE, SIZE, PATH)
    text = str(caught.value)
    assert case.message in text
    assert text.startswith(f"{PATH}: is not the golden pair of 16x16: ")
    assert not Path("/tmp/edge-vessel-pickle-ran").exists()


@pytest.mark.parametrize("position", range(0, len(VALID), 7))
def test_any_changed_byte_is_the_same_pair_or_an_artifact_error(position):
    content = bytearray(VALID)
    content[position] ^= 0x41
    try:
        golden = load_golden(bytes(content), SIZE, SIZE, PATH)
    except ArtifactError:
        return
    assert np.array_equal(golden.image, IMAGE)
    assert np.array_equal(golden.probability, PROBABILITY)


def test_a_bomb_is_refused_and_not_allocated(tmp_path):
    """In a process that may not grow by what the bomb would take."""
    bomb = tmp_path / "golden.npz"
    bomb.write_bytes(archive(image=header("|u1", (2**28,)) + bytes(2**28), probability=P))
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from edge_vessel.errors import ArtifactError\n"
        "from edge_vessel.selftest import load_golden\n"
        "content = Path(sys.argv[1]).read_bytes()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: load_golden(content, 16, 16, Path('golden.npz'))\n"
        "except ArtifactError: pass\n"
        "else: sys.exit('the bomb was loaded')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    result = python("-c", program, bomb)
    assert result.returncode == 0, result.stderr
    grown_kib = int(result.stdout)
    assert grown_kib < 16 * 1024


@dataclass
class BrokenCase:
    name: str
    changed: dict[str, bytes]
    message: str


SMALL = npz(image=IMAGE[:8], probability=PROBABILITY[:8])
BROKEN_CASES = [
    BrokenCase("no network", {"model": b"not a network"}, "model.onnx"),
    BrokenCase(
        "output of another size", {"model": model(stride=2)}, "output is (8, 8), not (16, 16)"
    ),
    BrokenCase("golden of another size", {"golden": SMALL}, "is uint8 (8, 16, 3)"),
]


@pytest.mark.parametrize("case", BROKEN_CASES, ids=lambda case: case.name)
def test_a_signed_but_broken_artifact_is_an_artifact_error(case, tmp_path):
    artifact = open_artifact(write(tmp_path / "a", **case.changed), (), allow_unsigned=True)
    with pytest.raises(ArtifactError) as caught:
        run_selftest(artifact, 1)
    assert case.message in str(caught.value)
