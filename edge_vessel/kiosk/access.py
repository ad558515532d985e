"""Who is asking: the bearer token of a request, and what its role may do."""

from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from edge_vessel.kiosk.kiosk import Kiosk
from edge_vessel.kiosk.tokens import Token

_bearer = HTTPBearer(auto_error=False, description="A token of `kiosk token add`.")


async def _kiosk(request: Request) -> Kiosk:
    kiosk: Kiosk = request.app.state.kiosk
    return kiosk


TheKiosk = Annotated[Kiosk, Depends(_kiosk)]
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def _anybody(kiosk: TheKiosk, credentials: _Credentials) -> Token:
    holder = kiosk.tokens.holder(credentials.credentials) if credentials else None
    if holder is None:
        if credentials is not None:
            await run_in_threadpool(kiosk.denied)
        raise HTTPException(
            401, "no such token: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
        )
    return holder


async def _operator(holder: Annotated[Token, Depends(_anybody)]) -> Token:
    if holder.role != "operator":
        raise HTTPException(403, f"{holder.name}: is a terminal's token; this is for operators")
    return holder


async def _metrics_reader(kiosk: TheKiosk, credentials: _Credentials) -> None:
    if not kiosk.settings.metrics_open:
        await _operator(await _anybody(kiosk, credentials))


Anybody = Annotated[Token, Depends(_anybody)]
Operator = Annotated[Token, Depends(_operator)]
MetricsReader = Annotated[None, Depends(_metrics_reader)]
