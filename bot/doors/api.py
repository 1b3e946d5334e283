"""The doors as one FastAPI application."""

from fastapi import FastAPI

from bot.app import App
from bot.doors import ops, pictures, sessions, widget
from bot.doors.errors import ErrorAnswer, answer_errors


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
    for door in (pictures, sessions, ops, widget) if doors else (ops,):
        api.include_router(door.routes(app))
    return api
