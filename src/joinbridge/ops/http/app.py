"""The application behind the port: health, metrics, API, and how errors look."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

import joinbridge
from joinbridge.core.policy import Policy
from joinbridge.errors import StoreError
from joinbridge.ops.health import Readiness
from joinbridge.ops.http.api import routes
from joinbridge.ops.http.models import CheckOut, Ready
from joinbridge.ops.metrics import CONTENT_TYPE, Metrics
from joinbridge.store.records import Records


def application(*, readiness: Readiness, metrics: Metrics, records: Callable[[], Records], policy: Policy) -> FastAPI:
    """Return the application. `records` raises StoreError until there are any."""
    app = FastAPI(
        title="joinbridge",
        version=joinbridge.__version__,
        description="What joinbridge knows of joins, read only.",
        # Their pages would load scripts from elsewhere; the description itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
    )

    @app.get("/livez", response_class=PlainTextResponse, tags=["health"])
    async def livez() -> str:
        """Return as long as the event loop turns, whatever is away: to be restarted would help nobody then."""
        return "alive\n"

    @app.get("/readyz", tags=["health"], responses={503: {"model": Ready, "description": "Not ready, and why."}})
    async def readyz(response: Response, verbose: str | None = None) -> Ready:
        """Return whether messages are read, decided and recorded, and deadlines kept, now."""
        checks = await readiness.look()
        ready = all(check.is_well for check in checks)
        response.status_code = 200 if ready else 503
        return Ready(ready=ready, checks=[CheckOut.of(check) for check in checks if verbose is not None or not check.is_well])

    @app.get("/metrics", tags=["metrics"], response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def prometheus() -> Response:
        """Return all metrics in Prometheus's text format."""
        metrics.ready(await readiness.look())
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    app.include_router(routes(records, policy))
    app.add_exception_handler(StoreError, _unavailable)
    return app


async def _unavailable(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, status_code=503)
