"""Brings the store's database up to date; the steps stand in ``migrations/versions``."""

from adapters.migrations import History

_history = History("adapters.storage:migrations")
upgrade = _history.upgrade
is_current = _history.is_current
