"""POST /v1/enrol, /v1/verify, /v1/identify."""

import asyncio
import math
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from edge_vessel.kiosk.access import Anybody, Operator, TheKiosk
from edge_vessel.kiosk.answers import Fault
from edge_vessel.kiosk.kiosk import EnrolledError, Kiosk, ReplayError, TooOftenError
from edge_vessel.kiosk.operations import Asked
from edge_vessel.kiosk.requests import Enrol, Identify, Verify
from edge_vessel.kiosk.results import Result
from edge_vessel.kiosk.tokens import Token
from edge_vessel.kiosk.turnstile import LineFullError

_RETRY_AFTER_S = 2
_FAULTS: dict[int | str, dict[str, Any]] = {
    401: {"model": Fault, "description": "No token, or a wrong one"},
    403: {"model": Fault, "description": "For operators"},
    409: {"model": Fault, "description": "The nonce was used, or the subject is enrolled"},
    413: {"model": Fault, "description": "Too large"},
    422: {"model": Fault, "description": "A field is missing, unknown or out of range"},
    429: {"model": Fault, "description": "The line is full, or too often; see Retry-After"},
    503: {"model": Fault, "description": "Store or disk fail"},
}
router = APIRouter(responses=_FAULTS, tags=["operations"])


@router.post("/v1/enrol", response_model=Result)
async def enrol(body: Enrol, request: Request, kiosk: TheKiosk, holder: Operator) -> Response:
    """Several captures of one eye become a template."""
    return await _answer(kiosk, request, holder, body.asked())


@router.post("/v1/verify", response_model=Result)
async def verify(body: Verify, request: Request, kiosk: TheKiosk, holder: Anybody) -> Response:
    """Is the eye before the camera the subject's?"""
    return await _answer(kiosk, request, holder, body.asked())


@router.post("/v1/identify", response_model=Result)
async def identify(body: Identify, request: Request, kiosk: TheKiosk, holder: Anybody) -> Response:
    """Whose eye is before the camera?"""
    return await _answer(kiosk, request, holder, body.asked())


async def _answer(kiosk: Kiosk, request: Request, holder: Token, asked: Asked) -> Response:
    """A client that goes away cancels what it asked for."""
    work = asyncio.ensure_future(kiosk.ask(asked, holder))
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait([work, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
        result = await work
    except LineFullError as error:
        raise _later(kiosk, "too many wait for the camera; ask again", _RETRY_AFTER_S) from error
    except TooOftenError as error:
        why = f"{holder.name}: too many requests came to no comparison; ask again"
        raise _later(kiosk, why, error.wait_s) from error
    except ReplayError as error:
        raise HTTPException(409, "the nonce was used before; make a new one") from error
    except EnrolledError as error:
        raise HTTPException(409, f"{asked.subject}: is enrolled; delete first") from error
    except asyncio.CancelledError:
        if not leaving.done():  # the service stops
            work.cancel()
            await asyncio.wait([work])
            raise
        return Response(status_code=499)  # nobody hears it
    finally:
        leaving.cancel()
    return Response(result.encoded(), media_type="application/json")


def _later(kiosk: Kiosk, why: str, wait_s: float) -> HTTPException:
    kiosk.counters.turned_away += 1
    return HTTPException(429, why, {"Retry-After": str(math.ceil(wait_s))})


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
