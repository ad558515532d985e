"""What is checked before the dynamic linker sees anything."""

import platform
import struct
from pathlib import Path

import pytest

from edge_vessel.engines import cores, tvm_library
from edge_vessel.errors import ArtifactError

MACHINE = {"x86_64": 62, "aarch64": 183}[platform.machine()]


def elf(
    machine: int = MACHINE, wide: int = 2, order: int = 1, sections: int = 0, count: int = 0
) -> bytes:
    """An ELF header alone."""
    return struct.pack(
        "<4s B B 10x H H 20x Q 10x H H 2x",
        *(b"\x7fELF", wide, order, 3, machine, sections, 64, count),
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (elf(), None),
        (b"", "not a 64-bit shared object"),
        (b"\x7fELF", "not a 64-bit shared object"),
        (elf(wide=1), "not a 64-bit shared object"),
        (elf(order=2), "not a 64-bit shared object"),
        (elf(machine=40), "holds code for 40"),
        (elf(sections=64, count=1), "ends too early"),
        (elf(sections=2**63, count=9), "ends too early"),
    ],
)
def test_headers(content: bytes, says: str | None) -> None:
    if says is None:
        tvm_library.check_elf(content, Path("model.so"))
        return
    with pytest.raises(ArtifactError, match=f"^model.so: {says}"):
        tvm_library.check_elf(content, Path("model.so"))


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("0.27.0.post1", "names no tvm-ffi version"),
        ("0.27.0.post1 (tvm-ffi 0.9.9)", "compiled with tvm-ffi 0.9.9, 0.1.14.post1 is installed"),
    ],
)
def test_another_binary_interface_is_refused(version: str, says: str) -> None:
    with pytest.raises(ArtifactError, match=says):
        tvm_library.foreign_function_interface(version, Path("a"))


@pytest.mark.parametrize(
    ("files", "count", "expected"),
    [
        ({}, 1, [0]),
        ({"cpu1/cpu_capacity": "1024", "cpu0/cpu_capacity": "485"}, 1, [1]),
        ({"cpu1/cpufreq/cpuinfo_max_freq": "1800000"}, 1, [1]),
        ({"cpu0/cpu_capacity": "?"}, 2, [0, 1]),
    ],
)
def test_the_fastest_cores_come_first(
    tmp_path: Path,
    files: dict[str, str],
    count: int,
    expected: list[int],
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cores.fastest(count, frozenset({0, 1}), tmp_path) == expected
