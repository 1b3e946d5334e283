"""``POST /v1/pictures``: good ones, and everything else that strangers send."""

import asyncio
import struct
import zlib
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from tests.doors.bot import Bot, expecting, png

MIB = 2**20


def huge(size: tuple[int, int]) -> bytes:
    out = BytesIO()
    Image.new("1", size).save(out, "PNG")
    return out.getvalue()


def header_of(width: int, height: int) -> bytes:
    """A small PNG that claims a size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def with_wrong_sum(picture: bytes) -> bytes:
    at = picture.index(b"IDAT") + 8
    return picture[:at] + bytes([picture[at] ^ 1]) + picture[at + 1 :]


GOOD = {
    "png": (png(), "image/png"),
    "jpeg": (png(format="JPEG"), "image/jpeg"),
    "webp": (png(format="WEBP"), "image/webp"),
    "wrong type": (png(), "application/json"),
    "no type": (png(), ""),
    "wrong picture type": (png(format="JPEG"), "image/png"),
    "as a form's type": (png(), "application/x-www-form-urlencoded"),
}

BAD = {
    "empty": (b"", 422, "broken_picture"),
    "one byte": (b"\x89", 422, "broken_picture"),
    "cut off": (png()[:1000], 422, "broken_picture"),
    "jpeg cut off": (png(format="JPEG")[:200], 422, "broken_picture"),
    "wrong sum": (with_wrong_sum(png()), 422, "broken_picture"),
    "89 million pixels": (huge((9450, 9450)), 413, "picture_too_large"),
    "60000 x 1": (huge((60_000, 1)), 413, "picture_too_large"),
    "header of 2^31-1": (header_of(2**31 - 1, 2**31 - 1), 413, "picture_too_large"),
    "header of 0": (header_of(0, 0), 422, "broken_picture"),
    "10 MiB + 1": (png() + b"\0" * (10 * MIB + 1 - len(png())), 413, "picture_too_large"),
    "30 MiB": (png() + b"\0" * 30 * MIB, 413, "picture_too_large"),
    "gif": (png(format="GIF"), 415, "unsupported_picture"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", 415, "unsupported_picture"),
    "pdf": (b"%PDF-1.7\n", 415, "unsupported_picture"),
    "text": ("退款".encode(), 415, "unsupported_picture"),
}


@pytest.mark.parametrize("name", GOOD)
async def test_a_picture_is_known_by_its_bytes(bot: Bot, name: str) -> None:
    picture, mime = GOOD[name]
    async with bot.http() as http:
        raw = await http.post("/v1/pictures", content=picture, headers={"content-type": mime})
        form = await http.post("/v1/pictures", files={"file": ("../../x.exe", picture, mime or None)})
    ids = {answer.json()["id"] for answer in (raw, form)}
    assert (raw.status_code, form.status_code) == (201, 201)
    assert len(ids) == 2
    assert all(len(id) >= 22 for id in ids)


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_picture_gets_a_clear_error(bot: Bot, name: str) -> None:
    picture, status, code = BAD[name]
    async with bot.http() as http:
        raw = await http.post("/v1/pictures", content=picture)
        form = await http.post("/v1/pictures", files={"file": ("a.png", picture, "image/png")})
    for answer in (raw, form):
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.json()["error"]["message"]


FORMS: dict[str, dict[str, Any]] = {
    "no file": {"data": {"note": "x"}, "files": {"": ("", b"")}},
    "only fields": {"files": {"file": (None, "words")}},
    "two files": {"files": [("file", ("a.png", png())), ("file", ("b.png", png()))]},
    "many fields": {"files": [("a", (None, "x"))] * 9 + [("file", ("a.png", png()))]},
    "no boundary": {"content": b"--x", "headers": {"content-type": "multipart/form-data"}},
    "broken form": {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=y"}},
    "empty form": {"content": b"", "headers": {"content-type": "multipart/form-data; boundary=y"}},
    "large field": {"files": {"note": (None, "x" * 2 * MIB), "file": ("a.png", png())}},
}


@pytest.mark.parametrize("name", FORMS)
async def test_a_bad_form_gets_a_clear_error(bot: Bot, name: str) -> None:
    async with bot.http() as http:
        answer = await http.post("/v1/pictures", **FORMS[name])
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "bad_request"


async def test_the_content_type_of_a_form_may_be_spelt_in_capitals(bot: Bot) -> None:
    body = (
        b'--Y\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + png() + b"\r\n--Y--\r\n"
    )
    async with bot.http() as http:
        headers = {"content-type": "Multipart/Form-Data; boundary=Y"}
        answer = await http.post("/v1/pictures", content=body, headers=headers)
    assert answer.status_code == 201


async def test_a_shops_page_of_another_origin_may_upload_and_do_nothing_else(bot: Bot) -> None:
    origin = {"origin": "https://shop.example"}
    asks = {
        **origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    async with bot.http() as http:
        preflight = await http.options("/v1/pictures", headers=asks)
        good = await http.post("/v1/pictures", content=png(), headers=origin)
        bad = await http.post("/v1/pictures", content=b"", headers=origin)
        other = await http.options("/v1/sessions/s/messages", headers=asks)
        ready = await http.get("/ready", headers=origin)
    for answer in (preflight, good, bad):
        assert answer.headers["access-control-allow-origin"] == "*"
    assert (preflight.status_code, good.status_code, bad.status_code) == (200, 201, 422)
    for answer in (other, ready):
        assert "access-control-allow-origin" not in answer.headers


async def test_a_bad_session_name_gets_a_clear_error(bot: Bot) -> None:
    async with bot.http() as http:
        for session in ("a b", "", "x" * 121):
            answer = await http.post("/v1/pictures", params={"session": session}, content=png())
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.full
async def test_too_many_uploads_from_one_address_are_told_to_slow_down(bot: Bot) -> None:
    async with bot.http() as http:
        for _ in range(61):
            answer = await http.post("/v1/pictures", content=b"")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_requests")
    assert answer.headers["retry-after"]


async def test_an_upload_that_breaks_off_leaves_nothing_behind(bot: Bot) -> None:
    """The server goes on, and the session waits for that picture no longer."""
    async with bot.tab() as tab:
        host, port = bot.address.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /v1/pictures?session={tab.session} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        writer.write(head.encode() + png()[:500])
        await writer.drain()
        await expecting(bot, tab, True)
        writer.transport.abort()
        await expecting(bot, tab, False)
        await tab.say("你好")
        await tab.answer()
