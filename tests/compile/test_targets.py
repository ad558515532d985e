"""The table of targets, and what it makes artifacts refuse."""

from pathlib import Path

import pytest
from artifact_folders import python

from compile import targets
from edge_vessel.errors import ArtifactError, UsageError
from edge_vessel.manifest import NONE
from edge_vessel.target import Machine, check_target, cpu_features

# Lines of /proc/cpuinfo as Linux prints them.
RK3399 = "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
RPI4 = "Features\t: fp asimd evtstrm crc32 cpuid"
RPI5 = (
    "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid "
    "asimdrdm lrcpc dcpop asimddp"
)


@pytest.mark.parametrize(
    ("target", "cpuinfo", "lacks"),
    [
        ("rk3399", RK3399, None),
        ("cortex-a72", RPI4, None),
        ("rpi4", RPI4, None),
        ("rpi4", RPI5, None),
        ("rpi5", RPI5, None),
        ("rpi5", RPI4, "asimddp fphp asimdhp"),
        ("rpi5", RK3399, "asimddp fphp asimdhp"),
        ("generic-aarch64", RPI4, None),
    ],
)
def test_a_board_takes_only_what_its_cores_can_run(
    target: str, cpuinfo: str, lacks: str | None
) -> None:
    machine = Machine("aarch64", cpu_features(cpuinfo))
    needs = targets.find(target).manifest(2)
    if lacks is None:
        check_target(needs, machine, Path("a"))
        return
    with pytest.raises(ArtifactError, match=f"lacks {lacks}"):
        check_target(needs, machine, Path("a"))


@pytest.mark.parametrize("name", targets.TARGETS)
def test_tvm_and_the_schedules_take_every_target(name: str) -> None:
    target = targets.find(name)
    described = target.tvm(target.threads)
    device = described if target.accelerator == NONE else described.host
    assert device.kind.name == "llvm"
    assert target.accelerator in (NONE, "opencl") or described.attrs["arch"] in target.accelerator
    core = target.core(target.threads)
    assert core.lanes * 32 == target.vector_bits
    assert core.l2_bytes * min(target.threads, target.l2_cores) == target.l2_bytes


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"rk3399.*did you mean rpi4"):
        targets.find("rpi44")


def test_the_list_names_every_target() -> None:
    done = python("-W", "ignore", "-m", "compile", "--list-targets")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == list(targets.TARGETS)
