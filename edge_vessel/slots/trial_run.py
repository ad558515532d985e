"""The golden self-test of an artifact that is not trusted to behave: in a process of its own."""

import contextlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge_vessel.bounded_read import read_regular
from edge_vessel.errors import ArtifactError, DeviceError, UsageError, kind_of
from edge_vessel.owner import owner
from edge_vessel.signing import MAX_KEY_BYTES
from edge_vessel.slots.opening import Trust

_MIB = 1024 * 1024


@dataclass(frozen=True)
class SelfTestLimits:
    """What the self-test may use: `memory_mb` of writable private memory, and wall-clock time.

    The memory is that of the service (MemoryMax in deploy/systemd/edge-vessel.service): what does
    not fit here would not fit there.
    """

    memory_mb: int = 1024
    timeout_s: float = 120.0


def prove(folder: Path, trust: Trust, limits: SelfTestLimits) -> str:
    """Runs `edge-vessel artifact verify` on `folder`; returns the SHA-256 of the manifest it saw.

    Native code of an artifact may crash, hang or eat the memory: it does so in the child. Should
    this process be killed, a limit of the child's processor time ends it. For root the child runs
    as the `owner` of what `folder` lies in: the slots are the service's, and so is what runs there.

    Raises:
        ArtifactError, DeviceError, UsageError: as the child says, each for its own fault.
        ArtifactError: the child was ended by a limit, or crashed.
    """
    with _handed_over(trust) as keys, _started(folder.absolute(), trust, keys, limits) as child:
        try:
            answer = child.communicate(timeout=limits.timeout_s)[0]
        except subprocess.TimeoutExpired as error:
            raise ArtifactError(
                f"{folder}: the self-test has not ended after {limits.timeout_s:g} s; use an "
                "artifact built for this machine, or --selftest-timeout"
            ) from error
        finally:
            child.kill()
    return _verdict(folder, child.returncode, answer, limits)


def _started(
    folder: Path, trust: Trust, keys: list[int], limits: SelfTestLimits
) -> subprocess.Popen[bytes]:
    # -P: a package of this name in the working folder, which may be anybody's, is not ours.
    command = [sys.executable, "-P", "-m", "edge_vessel.artifact", "verify", str(folder), "--json"]
    for key in keys:
        command += ["--trusted-key", f"/proc/self/fd/{key}"]
    if trust.allow_unsigned:
        command.append("--allow-unsigned")
    account = owner(folder.parent)
    try:
        return subprocess.Popen(
            command,
            # Without root's terminal: into that it could type what root's shell then runs.
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=keys,
            user=None if account is None else account.user,
            group=None if account is None else account.group,
            extra_groups=None if account is None else account.groups,
            # By itself: to limit another user's process takes more than being root in a container.
            # What it runs before the command takes no lock that a thread could hold.
            preexec_fn=partial(_limit, limits),  # noqa: PLW1509
        )
    except subprocess.SubprocessError as error:
        raise DeviceError("the self-test cannot be limited: ulimit -a tells the limits") from error
    except PermissionError as error:
        raise DeviceError(
            f"{sys.executable}: the owner of {folder.parent} may not run it: use a Python that "
            "every user may run"
        ) from error


@contextlib.contextmanager
def _handed_over(trust: Trust) -> Iterator[list[int]]:
    """Descriptors of copies of the keys: the files may lie where the child's user may not look."""
    with contextlib.ExitStack() as stack:
        copies = [stack.enter_context(os.fdopen(os.memfd_create("key"), "wb")) for _ in trust.keys]
        for key, copy in zip(trust.keys, copies, strict=True):
            copy.write(read_regular(key, MAX_KEY_BYTES, UsageError, follow_symlinks=True))
            copy.flush()
        yield [copy.fileno() for copy in copies]


def _limit(limits: SelfTestLimits) -> None:
    # RLIMIT_DATA and not RLIMIT_AS: the address space counts what threads reserve and never use.
    memory = limits.memory_mb * _MIB
    processor_s = math.ceil(limits.timeout_s * (os.cpu_count() or 1))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (processor_s, processor_s))


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
    except (ValueError, KeyError, TypeError) as fault:
        raise ArtifactError(
            f"{folder}: the self-test ended with {code} and without a report, with "
            f"{limits.memory_mb} MB; try --selftest-memory-mb"
        ) from fault
    if code or not isinstance(sha256, str):
        raise kind_of(code)(str(error))
    return sha256
