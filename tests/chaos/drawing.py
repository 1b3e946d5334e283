"""Pictures that show an order to the campaign's reader: its number stands in the grey of the first pixels."""

from io import BytesIO

from PIL import Image

WIDTH, HEIGHT = 64, 48


def drawn(order: str) -> bytes:
    grey = order.encode() + b"\0"
    picture = Image.frombytes("L", (WIDTH, HEIGHT), grey.ljust(WIDTH * HEIGHT, b"\xff"))
    out = BytesIO()
    picture.convert("RGB").save(out, "PNG")
    return out.getvalue()


def told(data: bytes) -> str:
    """The number that a picture shows."""
    with Image.open(BytesIO(data)) as picture:
        grey = picture.convert("L").tobytes()
    return grey.partition(b"\0")[0].decode()
