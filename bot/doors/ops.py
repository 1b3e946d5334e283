"""``/health``, ``/ready`` and ``/metrics``."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bot.app import App
from bot.domain.errors import Unavailable

PATIENCE = 3.0
"""Seconds that a part may take to answer."""


def routes(app: App) -> APIRouter:
    router = APIRouter()

    @router.get("/health", summary="Whether the process lives")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/ready", summary="Whether it can take messages")
    async def ready() -> JSONResponse:
        """503 while the store does not answer; without Redis it works on, slower, and says so."""
        parts = {
            "store": await _answers(app.store.ping),
            "cache": await _answers(app.cache.ping),
            "orders": await _answers(app.orders.ping),
        }
        status = 200 if parts["store"] == "ok" else 503
        return JSONResponse({"ready": status == 200, "parts": parts}, status_code=status)

    @router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _answers(ping: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            await ping()
    except (Unavailable, TimeoutError):
        return "unavailable"
    return "ok"
