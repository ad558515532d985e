"""Bytes of a template's format, damaged where its checksum does and does not tell."""

import struct
import zlib

from hypothesis import strategies as st


def sealed(body: bytes) -> bytes:
    """The body with the checksum that both formats of templates end in."""
    return body + struct.pack("<I", zlib.crc32(body))


def damaged(content: bytes, data: st.DataObject) -> bytes:
    """Up to four bytes changed, cut anywhere or not, the checksum made to fit or gone."""
    body = bytearray(content[:-4])
    for _ in range(data.draw(st.integers(0, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    body = body[:cut] if data.draw(st.booleans()) else body
    return sealed(bytes(body)) if data.draw(st.booleans()) else bytes(body)
