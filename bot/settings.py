"""What the environment says, read once. An unknown ``SHOTDESK_*`` is an error that names it."""

import difflib
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from bot.domain.base import Model
from bot.domain.errors import BadSettings
from bot.domain.ports import Clock

PREFIX = "SHOTDESK_"

ADAPTERS = ("vl",)
"""Adapters with options of their own: ``SHOTDESK_VL_URL`` is the option ``url`` of ``vl``."""


def _zone(value: Any) -> Any:
    try:
        return ZoneInfo(value) if isinstance(value, str) else value
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"there is no time zone {value!r}; an example is Asia/Shanghai") from None


def _words(value: Any) -> Any:
    return (
        tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value
    )


def _folder(value: Any) -> Any:
    return Path(value).expanduser().absolute() if isinstance(value, str) else value


class Settings(Model):
    """One field, one variable: ``home`` is ``SHOTDESK_HOME``. The clock goes on from ``now``."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    home: Annotated[Path, BeforeValidator(_folder)] = Field(default="~/.shotdesk", validate_default=True)
    tz: Annotated[ZoneInfo, BeforeValidator(_zone)] = Field(default="Asia/Shanghai", validate_default=True)
    now: datetime | None = None
    redis_url: str | None = None
    database_url: str | None = None
    orders_url: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="0: any that is free")] = 8000
    widget_secret: SecretStr | None = None
    api_keys: Annotated[tuple[SecretStr, ...], BeforeValidator(_words)] = ()
    log_level: str = "INFO"
    adapters: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Raises BadSettings that names every variable that does not fit."""
        given = {
            name.removeprefix(PREFIX): value for name, value in environ.items() if name.startswith(PREFIX)
        }
        own: dict[str, Any] = {}
        adapters: dict[str, dict[str, str]] = {}
        for name, value in given.items():
            adapter, _, option = name.lower().partition("_")
            if adapter in ADAPTERS and option:
                adapters.setdefault(adapter, {})[option] = value
            elif name.lower() in cls.model_fields and name.isupper() and name != "ADAPTERS":
                own[name.lower()] = value
            else:
                raise BadSettings(_unknown(name, cls))
        try:
            return cls(**own, adapters=adapters)
        except ValidationError as error:
            raise BadSettings(explain(error, PREFIX)) from None

    @property
    def database(self) -> str:
        """The bot's own database."""
        return self.database_url or f"sqlite:///{self.home / 'shotdesk.db'}"

    @property
    def orders(self) -> str:
        """The order store's database, apart from the bot's own."""
        return self.orders_url or f"sqlite:///{self.home / 'orders.db'}"

    def clock(self) -> Clock:
        """The shop's clock: it goes on from ``now``, where that is set."""
        zone = self.tz
        if self.now is None:
            return lambda: datetime.now(zone)
        start = self.now if self.now.tzinfo else self.now.replace(tzinfo=zone)
        ahead: timedelta = start - datetime.now(zone)
        return lambda: (datetime.now(zone) + ahead).astimezone(zone)


def explain(error: ValidationError, prefix: str) -> str:
    """A validation error as people read it, each variable by its name."""
    return "; ".join(
        f"{prefix}{str(problem['loc'][0]).upper()}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors()
    )


def _unknown(name: str, settings: type[Settings]) -> str:
    known = [PREFIX + field.upper() for field in settings.model_fields if field != "adapters"]
    near = difflib.get_close_matches(PREFIX + name, known, n=1, cutoff=0.8)
    hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
    return f"unknown setting {PREFIX}{name}{hint}"
