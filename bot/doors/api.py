"""The doors as one FastAPI application."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from bot.app import App
from bot.doors import ops, pictures, sessions, widget
from bot.doors.errors import ErrorAnswer, answer_errors
from bot.doors.pictures import UPLOAD_PATH


class UploadsFromAnyPage(CORSMiddleware):
    """The widget uploads from the shop's pages, whatever their origin; everything else keeps to its own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == UPLOAD_PATH:
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def create_api(app: App, *, doors: bool = True) -> FastAPI:
    """Every route of the contract, over one wired application; without ``doors`` those of operations alone."""
    api = FastAPI(
        title="Shotdesk",
        version=app.version,
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": ErrorAnswer}},
    )
    answer_errors(api)
    api.add_middleware(
        UploadsFromAnyPage, allow_origins=["*"], allow_methods=["POST"], allow_headers=["content-type"]
    )
    for door in (pictures, sessions, ops, widget) if doors else (ops,):
        api.include_router(door.routes(app))
    return api
