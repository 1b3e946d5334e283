"""One chat server, as OpenAI's API speaks: asked with patience, for as long as it is worth it."""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

AGAIN = (429, 502, 503)
LONGEST_ANSWER = 1024 * 1024
CONNECTS_WITHIN = 5.0


class ServerFailed(Exception):
    """No answer. The message names the cause and no content; ``again`` says whether to try once more."""

    def __init__(self, cause: str, *, again: bool = False, after: float | None = None) -> None:
        super().__init__(cause)
        self.again, self.after = again, after


class ChatServer:
    """``url`` is what ``/chat/completions`` follows, mostly ending in ``/v1``."""

    def __init__(self, url: str, key: str | None, tries: int) -> None:
        self._url = url.rstrip("/") + "/chat/completions"
        self._tries = tries
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # The caller has a deadline for everything together.
        self._client = httpx.AsyncClient(
            headers=headers, timeout=httpx.Timeout(None, connect=CONNECTS_WITHIN)
        )

    async def complete(self, request: dict[str, Any], until: float) -> str:
        """The text of the answer. Waits no longer than ``until`` (the loop's time) between two tries.

        Raises ServerFailed.
        """
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, ServerFailed) and e.again),
            stop=stop_after_attempt(self._tries),
            wait=_patience,
            reraise=True,
        ):
            with attempt:
                return await self._once(request, until)
        raise AssertionError("tenacity ends with an answer or an exception")

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _once(self, request: dict[str, Any], until: float) -> str:
        try:
            async with self._client.stream("POST", self._url, json=request) as response:
                if response.status_code != httpx.codes.OK:
                    raise _refusal(response, until)
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > LONGEST_ANSWER:
                        raise ServerFailed("the answer is too long")
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise ServerFailed(type(error).__name__, again=True) from error
        except httpx.HTTPError as error:
            raise ServerFailed(type(error).__name__) from error
        return _content(httpx.Response(httpx.codes.OK, content=bytes(body)))


def _refusal(response: httpx.Response, until: float) -> ServerFailed:
    after = _seconds(response.headers.get("Retry-After"))
    worth_it = asyncio.get_running_loop().time() + (after or 0) < until
    again = response.status_code in AGAIN and worth_it
    return ServerFailed(f"status {response.status_code}", again=again, after=after)


def _seconds(retry_after: str | None) -> float | None:
    """Both forms of the header: seconds, and a date."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (at.astimezone(UTC) - datetime.now(UTC)).total_seconds())


_jitter = wait_random_exponential(multiplier=0.25, max=2)


def _patience(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.after if isinstance(error, ServerFailed) else None
    return _jitter(state) if asked is None else asked


def _content(response: httpx.Response) -> str:
    try:
        content = response.json()["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ServerFailed("the answer is not a chat completion") from error
    if not isinstance(content, str):
        raise ServerFailed("the answer has no text")
    return content
