"""What the libraries below OpenCV write to stderr about a damaged image."""

import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import cv2

# All else on stderr is somebody else's.
_LIBRARY_LINE = re.compile(
    r"(?:\[ *(?:FATAL|ERROR|WARN|INFO|DEBUG)[:@][^\n]*\n?|libpng (?:error|warning)[^\n]*"
    r"|Corrupt JPEG data[^\n]*|Premature end[^\n]*"
    r"|^(?:Invalid|Unsupported|Bogus|Inconsistent progression|Unknown Adobe color"
    r"|Warning: unknown JFIF) [^\n]*)(?:\n|\Z)",
    re.MULTILINE,
)
# Those of its lines that mean lost pixels; unknown tags and odd colour profiles mean none.
_DAMAGE = re.compile(
    r"(?:TIFF_Error|libpng error:)[ :]*(?:\w+: : )?(.+)|(Corrupt JPEG data.*|Premature end.*)"
    r"|\[ *(?:ERROR|FATAL).*?(?:error: |: )(.+)"
)
_PADDING = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_stderr_lock = threading.Lock()


@contextmanager
def library_lines(lines: list[str]) -> Iterator[None]:
    """Collects what the libraries write to file descriptor 2 meanwhile.

    What other threads write there meanwhile comes out at the end.
    """
    with _stderr_lock:
        try:
            stderr = os.dup(2)
        except OSError:  # a service that was started with stderr closed
            yield
            return
        collected = os.memfd_create("decoder-lines", os.MFD_CLOEXEC)
        level = cv2.utils.logging.getLogLevel()
        # libtiff's word about JPEG data that broke off is a warning.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_WARNING)
        os.dup2(collected, 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            cv2.utils.logging.setLogLevel(level)
            written = os.pread(collected, os.fstat(collected).st_size, 0)
            os.close(collected)
            text = written.decode("utf-8", "surrogateescape")
            lines += [found[0].strip() for found in _LIBRARY_LINE.finditer(text)]
            others = _LIBRARY_LINE.sub("", text).encode("utf-8", "surrogateescape")
            if others:
                os.write(2, others)


def first_damage(lines: Iterable[str], content: bytes) -> str:
    """The first line that means lost pixels, without its origin; "" when there is none."""
    for line in lines:
        padding = _PADDING.search(line)
        # Some cameras fill up with zeros before the end marker.
        if padding and content[: content.rfind(b"\xff\xd9")].endswith(bytes(int(padding[1]))):
            continue
        found = _DAMAGE.search(line)
        if found:
            reason = next(part for part in found.groups() if part)
            return str(reason).splitlines()[0].strip()[:120]
    return ""
