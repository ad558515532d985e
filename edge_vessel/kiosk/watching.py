"""GET /healthz, /v1/status, /v1/device, /v1/events, /v1/preview, /metrics."""

from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from edge_vessel.kiosk.access import Anybody, MetricsReader, TheKiosk
from edge_vessel.kiosk.answers import Device, Fault, Health, ModelName, StatusReport
from edge_vessel.kiosk.events import Events
from edge_vessel.kiosk.tokens import Token

_FAULTS: dict[int | str, dict[str, Any]] = {
    401: {"model": Fault}, 422: {"model": Fault}, 429: {"model": Fault}, 503: {"model": Fault},
}  # fmt: skip
router = APIRouter(responses=_FAULTS, tags=["watching"])


class _Stream(StreamingResponse):
    """Of one who was admitted; the place is free again whatever ends it."""

    def __init__(self, events: Events, holder: Token) -> None:
        super().__init__(events.listen(holder.role), media_type="text/event-stream")
        self._leave = partial(events.leave, holder.name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


@router.get("/healthz")
def healthz(kiosk: TheKiosk) -> Health:
    """Whether the store answers, and captures come to an end."""
    kiosk.state()
    if kiosk.worker.stuck:
        raise HTTPException(503, "the operation that runs does not end; restart the service")
    return Health("ok")


@router.get("/v1/status")
def status(kiosk: TheKiosk, holder: Anybody) -> StatusReport:
    """What the kiosk does now."""
    return StatusReport(**asdict(kiosk.state()), role=holder.role)


@router.get("/v1/device")
def device(kiosk: TheKiosk, _: Anybody) -> Device:
    """What a client needs to check a result."""
    artifact = kiosk.recognition.artifact
    name = ModelName(artifact.manifest.name, artifact.manifest.version, artifact.manifest_sha256)
    scheme = kiosk.recognition.scheme
    return Device(kiosk.key.public_pem, kiosk.key.device, name, scheme.kind, scheme.version)


@router.get(
    "/v1/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def events(kiosk: TheKiosk, holder: Anybody) -> StreamingResponse:
    """Server-sent events: capture_started, hint, capture_taken, remove_and_return, result, camera,
    locked."""
    if not kiosk.events.admit(holder.name):
        raise HTTPException(429, "too many listen; ask again", {"Retry-After": "15"})
    return _Stream(kiosk.events, holder)


@router.get(
    "/v1/preview",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}},
        204: {"description": "Nothing newer than `after`, or nothing is captured"},
    },
)
def preview(
    kiosk: TheKiosk, _: Anybody, after: Annotated[int, Query(ge=0, le=2**53)] = 0
) -> Response:
    """The newest frame of the capture that runs. X-Frame: its number, for the next `after`. X-Fov:
    x,y,r of the field of view: x and r over the picture's width, y over its height."""
    picture = kiosk.preview.after(after)
    if picture is None:
        return Response(status_code=204)
    headers = {"X-Frame": str(picture.number)}
    if picture.fov is not None:
        headers["X-Fov"] = ",".join(f"{value:.4f}" for value in picture.fov)
    return Response(picture.jpeg, media_type="image/jpeg", headers=headers)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(kiosk: TheKiosk, _: MetricsReader) -> Response:
    """For Prometheus."""
    state = kiosk.state()
    text = kiosk.counters.families(state.waiting, state.enrolled, state.camera != "closed")
    return Response("".join(text), media_type="text/plain; version=0.0.4")
