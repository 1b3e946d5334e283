"""The base of every model that crosses the project's border."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Frozen, and closed: an unknown key is an error that names it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
