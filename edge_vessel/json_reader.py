"""JSON bytes into frozen dataclasses, refusing everything that was not foreseen."""

import dataclasses
import json
import math
import re
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin
from typing import get_type_hints as type_hints

MAX_TEXT = 1000
SHOWN_TEXT = 80

Record = TypeVar("Record")


class StrictJsonError(ValueError):
    """The bytes are not the JSON that was expected. The text names the field and the value."""


@dataclass(frozen=True)
class Range:
    """A rule for a number in `Annotated`: both ends belong to it."""

    minimum: float
    maximum: float

    def fault(self, value: float) -> str | None:
        """What is wrong with `value`, or None."""
        if self.minimum <= value <= self.maximum:
            return None
        return f"is outside {self.minimum:g} to {self.maximum:g}"


@dataclass(frozen=True)
class Form:
    """A rule for a text in `Annotated`: it matches the whole `pattern`, which is `meaning`."""

    pattern: str
    meaning: str

    def fault(self, value: str) -> str | None:
        """What is wrong with `value`, or None."""
        return None if re.fullmatch(self.pattern, value) else f"is not {self.meaning}"


def loads(content: bytes) -> object:
    """Parses UTF-8 JSON in which no key stands twice and every number is finite.

    Raises:
        StrictJsonError: not UTF-8, not JSON, nested too deep, a key twice, NaN or Infinity.
    """
    try:
        return json.loads(
            content.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_not_finite
        )
    except StrictJsonError:
        raise
    except RecursionError as error:
        raise StrictJsonError("is nested too deep") from error
    except ValueError as error:
        raise StrictJsonError(f"is not JSON in UTF-8: {error}") from error


def build(kind: type[Record], document: object) -> Record:
    """Fills dataclass `kind`, and those inside it, from what `loads` returned.

    Understands dataclasses, `tuple[X, ...]`, `X | None`, `Literal`, str, int, float, bool and
    `Annotated` with a `Range` or a `Form`. A text is 1 to `MAX_TEXT` printable characters: no line
    break, no terminal escape. A bool is no number; an int stands for a float.

    Raises:
        StrictJsonError: a field is missing, unknown, of the wrong type or out of range.
    """
    built: Record = _value(kind, document, "")
    return built


def _value(kind: Any, value: object, field: str) -> Any:  # noqa: PLR0911 - one return per kind
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _record(kind, value, field)
    if origin is Annotated:
        parsed = _value(arguments[0], value, field)
        fault = arguments[1].fault(parsed)
        return parsed if fault is None else _refuse(field, value, fault)
    if origin is Literal:
        if type(value) is str and value in arguments:
            return value
        _refuse(field, value, f"is not one of {', '.join(arguments)}")
    if origin is tuple:
        if not isinstance(value, list):
            _refuse(field, value, "is not a list")
        return tuple(_value(arguments[0], item, f"{field}[{i}]") for i, item in enumerate(value))
    if origin in (Union, UnionType):
        if value is None:
            return None
        return _value(next(kind for kind in arguments if kind is not NoneType), value, field)
    return _scalar(kind, value, field)


def _record(kind: Any, value: object, field: str) -> Any:
    if not isinstance(value, dict):
        _refuse(field, value, "is not an object")
    prefix = f"{field}." if field else ""
    hints = type_hints(kind, include_extras=True)
    for name in value:
        if name not in hints:
            _refuse(prefix + _shown(name), value[name], "is an unknown field")
    for name in hints:
        if name not in value:
            raise StrictJsonError(f"{prefix}{name}: is missing")
    return kind(**{name: _value(hint, value[name], prefix + name) for name, hint in hints.items()})


def _scalar(kind: Any, value: object, field: str) -> str | int | float:
    if kind is bool and type(value) is bool:
        return value
    if kind is float and type(value) in (int, float):
        try:
            number = float(value)  # type: ignore[arg-type]
        except OverflowError:
            number = math.inf
        return number if math.isfinite(number) else _refuse(field, value, "is not finite")
    if kind is str and isinstance(value, str):
        if not (0 < len(value) <= MAX_TEXT and value.isprintable()):
            _refuse(field, value, f"is not 1 to {MAX_TEXT} printable characters")
        return value
    if kind is int and type(value) is int:
        return value
    names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    return _refuse(field, value, f"is not {names[kind]}")


def _refuse(field: str, value: object, fault: str) -> NoReturn:
    raise StrictJsonError(f"{field or 'the document'}: {_shown(value)} {fault}")


def _shown(value: object) -> str:
    try:
        text = ascii(value)
    except ValueError:
        text = "a number of thousands of digits"
    return text if len(text) <= SHOWN_TEXT else text[:SHOWN_TEXT] + "..."


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise StrictJsonError(f"{_shown(twice)}: stands twice in one object")
    return record


def _not_finite(constant: str) -> NoReturn:
    raise StrictJsonError(f"{constant}: is not a JSON number")
