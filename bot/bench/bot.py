"""``shotdesk serve`` for a benchmark: it says its address on standard output, and no reader is made ready."""

import asyncio
import json

from bot import telemetry
from bot.app import open_app
from bot.serve import ended_by_sigterm, listening, serving
from bot.settings import Settings


async def serve() -> None:
    """Until it is told to stop."""
    settings = Settings.from_env()
    with ended_by_sigterm(), listening(settings) as listener:
        async with open_app(settings) as app, serving(app, "all", listener) as running:
            print(json.dumps({"address": running.address}), flush=True)
            await running.end()


if __name__ == "__main__":
    import uvloop

    telemetry.configure("WARNING")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
