"""Bytes from outside, whatever they are: the whole API by its own schema, requests, templates,
manifests, the file of tokens.

Longer: EDGE_VESSEL_FUZZ_EXAMPLES=10000 python -m pytest tests/edge_vessel/kiosk/test_parsing.py
"""

import asyncio
import contextlib
import os
from pathlib import Path

import artifact_folders
import httpx
import numpy as np
import pytest
import schemathesis
from biometric_stores import new_store
from drawn_eyes import eye
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from pydantic import ValidationError
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from simulated_cameras import EyeCamera

from edge_vessel import manifest
from edge_vessel.artifact import open_artifact
from edge_vessel.biometrics import template
from edge_vessel.capture import CaptureConfig
from edge_vessel.errors import ArtifactError, DeviceError, UsageError
from edge_vessel.kiosk import device_key
from edge_vessel.kiosk.api import create_app
from edge_vessel.kiosk.camera import KioskCamera
from edge_vessel.kiosk.kiosk import Kiosk, Settings
from edge_vessel.kiosk.presentation import NoCheck
from edge_vessel.kiosk.recognition import Recognition
from edge_vessel.kiosk.requests import Enrol, Identify, Verify
from edge_vessel.kiosk.tokens import Tokens
from edge_vessel.segmenter import Segmenter

EXAMPLES = int(os.environ.get("EDGE_VESSEL_FUZZ_EXAMPLES", "100"))
many = settings(max_examples=EXAMPLES, deadline=None)
few = settings(
    max_examples=max(5, EXAMPLES // 20),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
GOOD_REQUEST = b'{"subject":"anna","nonce":"0123456789abcdef","timeout_s":1.5}'
GOOD_TOKENS = (
    b'{"tokens":[{"name":"door","role":"terminal","sha256":"' + b"0" * 64
    + b'","created":"2026-01-31T12:00:00Z"}]}'
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes that are almost right: some replaced, cut out or doubled."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        end = draw(st.integers(at, min(len(content), at + 8)))
        content[at:end] = draw(st.sampled_from([b"", bytes(content[at:end]) * 2])) or draw(
            st.binary(max_size=8)
        )
    return bytes(content)


class Broken(EyeCamera):
    """There is no device."""

    def open(self) -> None:
        raise DeviceError("no such device")


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory):
    """Of a camera that fails at once and a network of one layer."""
    folder = tmp_path_factory.mktemp("kiosk")
    store = new_store(folder / "store")
    tiny = artifact_folders.write(folder / "tiny")
    recognition = Recognition(Segmenter(open_artifact(tiny, (), allow_unsigned=True)), store)
    camera = KioskCamera(
        lambda: Broken(np.zeros((64, 64, 3), np.uint8)), CaptureConfig(give_up_s=0.001)
    )
    yield Kiosk(
        store, recognition, camera, device_key.load_or_make(store.folder),
        Tokens(store.folder / "tokens.json"), Settings(), NoCheck,
    )  # fmt: skip
    store.close()


@pytest.fixture(scope="module")
def app(kiosk):
    return create_app(kiosk, {"testserver"})


@pytest.fixture(scope="module")
def headers(kiosk) -> dict[str, str]:
    return {"Authorization": f"Bearer {kiosk.tokens.add('desk', 'operator')}"}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_nothing_that_the_schema_allows_or_forbids_is_a_servers_error(mode, app, headers):
    api = schemathesis.openapi.from_asgi("/openapi.json", app)
    called = set()

    def answers(case: schemathesis.Case) -> None:
        called.add(case.operation.label)
        case.validate_response(case.call(headers=headers), checks=[not_a_server_error])

    # The stream of events has no end.
    for operation in api.exclude(path="/v1/events").get_all_operations():
        cases = operation.ok().as_strategy(generation_mode=mode)
        with contextlib.suppress(Unsatisfiable):  # what takes nothing is given nothing wrong
            few(given(cases)(answers))()
    assert {"POST /v1/enrol", "POST /v1/verify", "DELETE /v1/subjects/{subject}"} <= called


@few
@given(path=st.sampled_from(["verify", "identify", "enrol"]), content=mutated(GOOD_REQUEST))
def test_any_body_has_an_answer(path, content, app, headers):
    async def post() -> httpx.Response:
        named = {**headers, "Content-Type": "application/json"}
        through = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=through, base_url="http://testserver") as client:
            return await client.post(f"/v1/{path}", content=content, headers=named)

    answer = asyncio.run(post())
    assert answer.status_code in (200, 400, 409, 413, 422), answer.text


@many
@given(st.sampled_from([Verify, Identify, Enrol]), st.binary() | mutated(GOOD_REQUEST))
def test_requests(kind, content):
    try:
        asked = kind.model_validate_json(content).asked()
    except ValidationError:
        return
    assert 16 <= len(asked.nonce) <= 64
    assert 0.1 <= asked.timeout_s <= 120


@many
@given(mutated(eye(1).to_bytes()))
def test_templates(content):
    try:
        parsed = template.parse(content)
    except ArtifactError as error:
        assert "\n" not in str(error)
        return
    assert parsed.to_bytes() == content


@many
@given(mutated(manifest.to_json(artifact_folders.manifest())))
def test_manifests(content):
    try:
        manifest.parse(content, Path("folder/manifest.json"))
    except ArtifactError as error:
        assert "\n" not in str(error)


@settings(many, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary() | mutated(GOOD_TOKENS))
def test_files_of_tokens(content, tmp_path):
    path = tmp_path / "tokens.json"
    path.write_bytes(content)
    path.chmod(0o600)
    try:
        found = Tokens(path).all()
    except UsageError as error:
        assert "\n" not in str(error)
        return
    assert all(len(one.sha256) == 64 for one in found)
