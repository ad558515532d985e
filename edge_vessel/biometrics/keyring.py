"""Secrets that the kernel keeps in memory: keyrings(7), by system call, as libc has no wrapper."""

import ctypes
import errno
import os
import platform

from edge_vessel.errors import DeviceError, UsageError

# keyctl(2): its number for processes of 64 and of 32 bits, which one kernel may run side by side
# (the kernel's system call tables).
_KEYCTL = {
    64: {"x86_64": 250, "aarch64": 219, "riscv64": 219},
    32: {"x86_64": 288, "i686": 288, "aarch64": 311, "armv7l": 311, "armv6l": 311},
}
# The kernel's include/uapi/linux/keyctl.h.
_SEARCH, _READ = 10, 11
_PROCESS, _SESSION, _USER = -2, -3, -4
_ABSENT = frozenset({errno.ENOKEY, errno.EKEYEXPIRED, errno.EKEYREVOKED})
MAX_SECRET_BYTES = 1024


def read(name: str) -> bytes:
    """The secret of the "user" key `name` of the session's or the user's keyring.

    Raises:
        UsageError: there is no such key, it may not be read, or it is too long.
        DeviceError: this kernel, or the container's rules, have no keyrings.
    """
    for ring in (_SESSION, _USER):
        try:
            # A process may read what it possesses: the key is linked to the process's own keyring.
            serial = _keyctl(_SEARCH, ring, b"user", name.encode(), _PROCESS)
            buffer = ctypes.create_string_buffer(MAX_SECRET_BYTES)
            length = _keyctl(_READ, serial, buffer, len(buffer), 0)
        except OSError as error:
            if error.errno in _ABSENT:
                continue
            if error.errno == errno.EACCES:
                raise UsageError(
                    f"keyring:{name}: may not be read by this user; run: keyctl padd user {name} @u"
                ) from error
            raise DeviceError(
                f"keyring:{name}: no keyring here: {error.strerror}; name a key file"
            ) from error
        if length > MAX_SECRET_BYTES:
            raise UsageError(f"keyring:{name}: is longer than {MAX_SECRET_BYTES} bytes")
        return buffer.raw[:length]
    raise UsageError(
        f"keyring:{name}: is not in the kernel's keyring; run: keyctl padd user {name} @u < KEYFILE"
    )


def _keyctl(operation: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char]) -> int:
    number = _KEYCTL[8 * ctypes.sizeof(ctypes.c_void_p)].get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    # Whole registers: an int of C would leave their upper halves undefined.
    whole = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(call(ctypes.c_long(number), ctypes.c_long(operation), *whole))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
