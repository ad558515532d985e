"""The golden self-test of an artifact that is not trusted to behave: in a process of its own."""

import json
import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_vessel.errors import ArtifactError, DeviceError, kind_of

_MIB = 1024 * 1024


@dataclass(frozen=True)
class SelfTestLimits:
    """What the self-test may use: `memory_mb` of writable private memory, and wall-clock time.

    The memory is that of the service (MemoryMax in deploy/systemd/edge-vessel.service): what does
    not fit here would not fit there.
    """

    memory_mb: int = 1024
    timeout_s: float = 120.0


def prove(folder: Path, trust_flags: Sequence[str], limits: SelfTestLimits) -> str:
    """Runs `edge-vessel artifact verify` on `folder`; returns the SHA-256 of the manifest it saw.

    Native code of an artifact may crash, hang or eat the memory: it does so in the child. Should
    this process be killed, a limit of the child's processor time ends it.

    Raises:
        ArtifactError, DeviceError, UsageError: as the child says, each for its own fault.
        ArtifactError: the child was ended by a limit, or crashed.
    """
    verify = [
        sys.executable,
        "-m",
        "edge_vessel.artifact",
        "verify",
        str(folder.absolute()),
        "--json",
    ]
    with subprocess.Popen(
        [*verify, *trust_flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        try:
            _limit(child.pid, limits)
            answer = child.communicate(timeout=limits.timeout_s)[0]
        except subprocess.TimeoutExpired as error:
            raise ArtifactError(
                f"{folder}: the self-test has not ended after {limits.timeout_s:g} s; use an "
                "artifact built for this machine, or --selftest-timeout"
            ) from error
        finally:
            child.kill()
    return _verdict(folder, child.returncode, answer, limits)


def _limit(pid: int, limits: SelfTestLimits) -> None:
    # RLIMIT_DATA and not RLIMIT_AS: the address space counts what threads reserve and never use.
    memory = limits.memory_mb * _MIB
    processor_s = math.ceil(limits.timeout_s * (os.cpu_count() or 1))
    try:
        resource.prlimit(pid, resource.RLIMIT_DATA, (memory, memory))
        resource.prlimit(pid, resource.RLIMIT_CPU, (processor_s, processor_s))
    except (OSError, ValueError) as error:
        raise DeviceError(f"the self-test cannot be limited: {error}") from error


def _verdict(folder: Path, code: int, answer: bytes, limits: SelfTestLimits) -> str:
    if code < 0:
        raise ArtifactError(
            f"{folder}: the self-test was ended by {signal.Signals(-code).name} with "
            f"{limits.memory_mb} MB; use an artifact built for this machine, or "
            "--selftest-memory-mb"
        )
    try:
        report = json.loads(answer)
        error, sha256 = report["error"], report.get("manifest_sha256")
    except (ValueError, KeyError) as fault:
        raise ArtifactError(
            f"{folder}: the self-test ended with {code} and without a report, with "
            f"{limits.memory_mb} MB; try --selftest-memory-mb"
        ) from fault
    if code or not isinstance(sha256, str):
        raise kind_of(code)(str(error))
    return sha256
