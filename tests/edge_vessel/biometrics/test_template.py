import numpy as np
import pytest
from biometrics.drawn_eyes import eye
from biometrics.sealed_bytes import damaged, sealed
from hypothesis import given
from hypothesis import strategies as st

from edge_vessel.biometrics.template import (
    LANDMARK,
    MAX_BYTES,
    MAX_LANDMARKS,
    MAX_SAMPLES,
    SAMPLE,
    Template,
    parse,
)
from edge_vessel.errors import ArtifactError


@st.composite
def templates(draw: st.DrawFn) -> Template:
    captures = draw(st.integers(1, 16))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def records(kind: np.dtype, most: int) -> np.ndarray:
        made = np.frombuffer(rng.bytes(draw(st.integers(0, most)) * kind.itemsize), kind).copy()
        made["seen"] = rng.integers(1, captures + 1, len(made))
        if "kind" in kind.names:
            made["kind"] %= 2
        return made

    field = rng.random((32, 32)) < 0.5
    return Template(captures, field, records(LANDMARK, MAX_LANDMARKS), records(SAMPLE, MAX_SAMPLES))


@given(templates())
def test_comes_back_as_it_was(template: Template) -> None:
    content = template.to_bytes()
    again = parse(content)
    assert again.to_bytes() == content
    assert len(content) == template.size_bytes <= MAX_BYTES < 4096
    assert again.captures == template.captures
    assert np.array_equal(again.field, template.field)
    assert np.array_equal(again.samples, template.samples)
    assert np.array_equal(again.landmarks, template.landmarks)


@given(templates(), st.data())
def test_no_bytes_raise_another_error(template: Template, data: st.DataObject) -> None:
    content = damaged(template.to_bytes(), data)
    try:
        assert parse(content).to_bytes() == content
    except ArtifactError as error:
        assert "\n" not in str(error)


@given(st.binary(max_size=5000))
def test_noise_is_refused(content: bytes) -> None:
    with pytest.raises(ArtifactError):
        parse(content)


def _with(offset: int, value: int) -> bytes:
    body = bytearray(eye(1).to_bytes()[:-4])
    body[offset] = value
    return sealed(bytes(body))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "0 bytes"),
        (bytes(5000), "5000 bytes"),
        (_with(0, ord("X")), "starts with"),
        (_with(4, 2), "version 2"),
        (_with(5, 0), "0 captures"),
        (_with(5, 17), "17 captures"),
        (_with(6, 97), "too many"),
        (_with(6, 5), "do not hold"),
        (_with(138 + 6, 2), "kind 2"),
        (_with(138 + 7, 0), "seen in none"),
        (_with(138 + 7, 2), "more than its 1 captures"),
        (eye(1).to_bytes()[:-1] + b"\0", "checksum"),
    ],
)
def test_says_what_is_wrong(content: bytes, fault: str) -> None:
    with pytest.raises(ArtifactError, match=fault):
        parse(content)
