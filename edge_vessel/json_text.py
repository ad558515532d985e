"""Records as one line of strict JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass


def strict_json(record: object) -> str:
    """A dataclass or a mapping as one line of JSON (RFC 8259).

    NaN and infinities, which JSON lacks, become null; numpy scalars become numbers; bytes of a file
    name that are no UTF-8 are written as escapes.

    Raises:
        TypeError: `record` holds what JSON cannot say.
    """
    return json.dumps(_plain(record), allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    # numpy's scalars, without numpy: doctor writes JSON where numpy is broken.
    item = getattr(value, "item", None)
    if callable(item):
        value = item()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value
