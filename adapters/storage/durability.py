"""Settings of a database that could lose what it has confirmed."""

import os
from pathlib import Path

from sqlalchemy import Connection, text

_POSTGRESQL = {
    "fsync": "A power cut can destroy the database: set fsync = on in postgresql.conf.",
    "synchronous_commit": "A crash can lose confirmed messages: set synchronous_commit = on.",
    "full_page_writes": "A power cut can tear pages of the database: set full_page_writes = on.",
}

_FOREIGN = ("nfs", "cifs", "smb", "9p", "fuse", "afs", "ceph", "gluster", "lustre")
_VOLATILE = ("tmpfs", "ramfs")


def complaints(tx: Connection, database: str) -> list[str]:
    """Each in one sentence with the way out; none where all is well."""
    if tx.dialect.name == "sqlite":
        return _sqlite(tx, Path(database))
    return _postgresql(tx)


def _postgresql(tx: Connection) -> list[str]:
    settings = tx.execute(
        text("SELECT name FROM pg_settings WHERE setting = 'off' AND name = ANY(:names)"),
        {"names": list(_POSTGRESQL)},
    )
    found = [_POSTGRESQL[name] for name in settings.scalars()]
    if tx.scalar(text("SELECT pg_is_in_recovery()")):
        found.append("This PostgreSQL is a read-only replica: give the address of the primary.")
    return found


def _sqlite(tx: Connection, file: Path) -> list[str]:
    found = []
    if tx.scalar(text("PRAGMA journal_mode")) != "wal":
        found.append(f"SQLite cannot keep its write-ahead log beside {file}: put it on a local disk.")
    kind = file_system(file)
    if kind.startswith(_FOREIGN):
        found.append(f"{file} lies on {kind}, where SQLite's locks do not hold: put it on a local disk.")
    if kind.startswith(_VOLATILE):
        found.append(f"{file} lies in memory ({kind}) and is gone after a restart: put it on a disk.")
    return found


def file_system(file: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system that holds a file; empty where the system does not say (macOS)."""
    if not mounts.exists():
        return ""
    lines = [line.split() for line in mounts.read_text().splitlines()]
    path = os.path.realpath(file)
    holding = [(len(at), kind) for _, at, kind, *_ in lines if _contains(at, path)]
    return max(holding)[1] if holding else ""


def _contains(mount: str, path: str) -> bool:
    return path == mount or path.startswith(mount.rstrip("/") + "/")
