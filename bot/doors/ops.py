"""``/health``, ``/ready`` and ``/metrics``."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from bot.app import App
from bot.domain.errors import Unavailable

PATIENCE = 3.0
"""Seconds that a part may take to answer."""

State = Literal["ok", "unavailable"]


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Parts(BaseModel):
    store: State
    cache: State
    orders: State


class Ready(BaseModel):
    ready: bool
    parts: Parts


def routes(app: App) -> APIRouter:
    router = APIRouter()

    @router.get("/health", summary="Whether the process lives")
    async def health() -> Health:
        return Health()

    @router.get(
        "/ready",
        summary="Whether it can take messages",
        responses={503: {"model": Ready, "description": "The store does not answer"}},
    )
    async def ready(response: Response) -> Ready:
        """503 while the store does not answer; without Redis it works on, slower, and says so."""
        store, cache, orders = await asyncio.gather(
            _state(app.store.ping), _state(app.cache.ping), _state(app.orders.ping)
        )
        is_ready = store == "ok"
        response.status_code = 200 if is_ready else 503
        return Ready(ready=is_ready, parts=Parts(store=store, cache=cache, orders=orders))

    @router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _state(ping: Callable[[], Awaitable[None]]) -> State:
    try:
        async with asyncio.timeout(PATIENCE):
            await ping()
    except (Unavailable, TimeoutError):
        return "unavailable"
    return "ok"
