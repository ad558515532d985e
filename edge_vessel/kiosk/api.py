"""The HTTP service: its parts put together, and one form for every fault."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from edge_vessel import __version__
from edge_vessel.errors import EdgeVesselError
from edge_vessel.kiosk import management, operating, watching
from edge_vessel.kiosk.gate import Gate
from edge_vessel.kiosk.kiosk import Kiosk

STATIC = Path(__file__).parent / "static"


def create_app(kiosk: Kiosk, names: Collection[str]) -> FastAPI:
    """The service of a kiosk; `names`: see `Gate`."""

    @contextlib.asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        kiosk.events.use(asyncio.get_running_loop())
        yield

    app = FastAPI(
        title="edge_vessel kiosk",
        version=__version__,
        lifespan=running,
        docs_url=None,  # its page loads from elsewhere
        redoc_url=None,
    )
    app.state.kiosk = kiosk
    app.add_middleware(Gate, names=names)
    for part in (operating, watching, management):
        app.include_router(part.router)
    app.get("/", include_in_schema=False)(_page)
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False))
    app.exception_handler(HTTPException)(_http_fault)
    app.exception_handler(RequestValidationError)(_wrong_request)
    app.exception_handler(EdgeVesselError)(_own_fault)
    return app


async def _page() -> FileResponse:
    page = STATIC / "index.html"
    if not page.exists():
        raise HTTPException(404, "this kiosk has no page")
    return FileResponse(page)


async def _http_fault(_: Request, fault: HTTPException) -> Response:
    return JSONResponse({"error": str(fault.detail)}, fault.status_code, fault.headers)


async def _wrong_request(_: Request, fault: RequestValidationError) -> Response:
    """Names the field and the rule, and does not repeat what was sent."""
    first = fault.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return JSONResponse({"error": f"{field}: {first['msg']}"}, 422)


async def _own_fault(_: Request, fault: EdgeVesselError) -> Response:
    return JSONResponse({"error": str(fault)}, 503)
