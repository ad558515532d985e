"""Runs a command under the part of a unit's sandbox that a process can put on itself.

    python sandbox.py UNIT COMMAND...

NoNewPrivileges, MemoryDenyWriteExecute and SystemCallFilter, as systemd reads it: sets by
`systemd-analyze syscall-filter`, numbers by the kernel's header; what is not allowed gets EPERM.
"""

import ctypes
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
# linux/prctl.h, linux/seccomp.h, linux/bpf_common.h
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_MDWE = 38, 22, 65
SECCOMP_MODE_FILTER, RET_ALLOW, RET_ERRNO = 2, 0x7FFF0000, 0x00050000
LOAD_WORD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
EPERM = 1


def members(name: str) -> set[str]:
    """The system calls of a set such as @system-service."""
    if not name.startswith("@"):
        return {name}
    command = ["systemd-analyze", "syscall-filter", "--no-pager", name]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    words = (line.strip() for line in answer.splitlines()[1:])
    return set().union(*(members(word) for word in words if word and not word.startswith("#")))


def allowed(unit: Path) -> set[str]:
    """systemd.exec(5), SystemCallFilter=: the first line makes an allow-list, later ones add to it
    or, with ~, take from it."""
    calls: set[str] = set()
    for value in re.findall(r"^SystemCallFilter=(.*)$", unit.read_text(), re.MULTILINE):
        named = set().union(*(members(name) for name in value.removeprefix("~").split()))
        calls = calls - named if value.startswith("~") else calls | named
    return calls


def program(calls: set[str]) -> bytes:
    """A filter that allows `calls` alone."""
    defined = re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text())
    code = [struct.pack("=HBBI", LOAD_WORD, 0, 0, 0)]
    for name, number in defined:
        if name in calls:
            code.append(struct.pack("=HBBI", JUMP_EQUAL, 0, 1, int(number)))
            code.append(struct.pack("=HBBI", RETURN, 0, 0, RET_ALLOW))
    code.append(struct.pack("=HBBI", RETURN, 0, 0, RET_ERRNO | EPERM))
    return b"".join(code)


def confine(unit: Path) -> None:
    """For this process and what it becomes.

    Raises:
        OSError: this kernel cannot.
    """
    code = program(allowed(unit))
    instructions = ctypes.create_string_buffer(code, len(code))
    filters = struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_MDWE, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters, 0, 0),
    ):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), f"prctl({arguments[0]}) is refused")


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
