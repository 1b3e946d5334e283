"""Brings the order store's database up to date; the steps stand in ``migrations/versions``."""

from adapters.migrations import History
from adapters.orders.tables import VERSION_TABLE

_history = History("adapters.orders:migrations", VERSION_TABLE)
upgrade = _history.upgrade
is_current = _history.is_current
