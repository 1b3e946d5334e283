"""The bare floor: a socket that gives every text back after one Redis pipeline, as little as a bot could do."""

import asyncio
import json
import os
import socket
from itertools import count

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from redis.asyncio import Redis

KEYS = "shotdesk-bench:"
KEPT = 1000
"""Entries of the stream."""


def echo(redis: Redis) -> FastAPI:
    app, numbers = FastAPI(), count()

    @app.websocket("/ws")
    async def talk(given: WebSocket) -> None:
        await given.accept()
        key = f"{KEYS}{next(numbers)}"
        try:
            while True:
                text = await given.receive_text()
                once = redis.pipeline(transaction=False)
                once.hset(key, "text", text)
                once.hgetall(key)
                once.xadd(f"{KEYS}stream", {"text": text}, maxlen=KEPT)
                once.expire(key, 60)
                await once.execute()
                await given.send_text(text)
        except WebSocketDisconnect:
            pass

    return app


async def serve(url: str) -> None:
    """Until it is told to stop."""
    redis = Redis.from_url(url, decode_responses=True, protocol=2)
    server = uvicorn.Server(
        uvicorn.Config(
            echo(redis),
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()[:2]
        print(json.dumps({"address": f"http://{host}:{port}"}), flush=True)
        await server.serve([listener])
    await redis.delete(f"{KEYS}stream")
    await redis.aclose()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(os.environ["BENCH_REDIS_URL"]))
