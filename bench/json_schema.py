"""`python -m bench.json_schema`: writes `schema/*.json` from the dataclasses that they are of."""

import dataclasses
import json
import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from bench.accuracy_file import AccuracyRun
from bench.estimate_file import EstimateRun, PeerEstimateRun
from bench.gpu_file import GpuRun
from bench.peers.document import PeersRun
from bench.presentation_file import PresentationRun
from bench.quantities import Length
from bench.repeatability_file import RepeatabilityRun
from edge_vessel.atomic import write_file
from edge_vessel.command_line import Parser, guarded
from edge_vessel.json_reader import MAX_TEXT, Form, Range

FOLDER = Path(__file__).with_name("schema")
# run.schema.json, of latency and energy, is one of two dataclasses and written by hand.
WRITTEN: dict[str, type] = {
    "accuracy": AccuracyRun,
    "estimate": EstimateRun,
    "estimate_ncnn": PeerEstimateRun,
    "gpu": GpuRun,
    "peers": PeersRun,
    "presentation": PresentationRun,
    "repeatability": RepeatabilityRun,
}


def schema(command: str) -> str:
    """JSON Schema of a command's document."""
    record = WRITTEN[command]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A run of python -m bench {command}",
    }
    return json.dumps({**head, **_of(record)}, indent=1) + "\n"


def _of(kind: Any, rule: object = None) -> dict[str, Any]:  # noqa: PLR0911 - one return per kind
    """What `json_reader.build` takes for `kind`; `rule` is its annotation."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _of(arguments[0], arguments[1])
    if origin in (Union, UnionType):
        return {"anyOf": [{"type": "null"} if one is NoneType else _of(one) for one in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        limits = {}
        if isinstance(rule, Length):
            limits = {"minItems": rule.minimum, "maxItems": rule.maximum}
        return {"type": "array", "items": _of(arguments[0]), **limits}
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        return {
            "type": "object",
            "properties": {name: _of(hint) for name, hint in hints.items()},
            "required": list(hints),
            "additionalProperties": False,
        }
    if kind is str:
        pattern = {"pattern": f"^{rule.pattern}$"} if isinstance(rule, Form) else {}
        return {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, **pattern}
    if kind is bool:
        return {"type": "boolean"}
    limits = {}
    if isinstance(rule, Range):
        limits = {"minimum": rule.minimum, "maximum": rule.maximum}
    return {"type": "integer" if kind is int else "number", **limits}


def main(arguments: list[str]) -> int:
    """Writes all of them."""
    Parser(prog="python -m bench.json_schema", description=__doc__).parse_args(arguments)
    return guarded(_write)


def _write() -> int:
    for command in WRITTEN:
        write_file(FOLDER / f"{command}.schema.json", schema(command).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
