"""The settings: one checked object, read from NEXTCHAR_… variables or the command line."""

import os
import warnings
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from model.runtime.backends import AUTO, NAMES
from service.errors import StartupError
from service.sessions.sealing import keys_of
from service.stores import SCHEMES, scheme_of

PREFIX = "NEXTCHAR_"
# These may hold secrets, so no error line quotes their values.
SECRET = ("store", "session_key")


class Settings(BaseSettings):
    """Everything that an operator may set; the variable NEXTCHAR_<FIELD> sets each field."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    checkpoint: Annotated[tuple[Path, ...], NoDecode] = Field(
        (Path("checkpoints/python"), Path("checkpoints/prose")),
        description="Folders of the checkpoints to serve, separated by commas; a request that "
        "names no model gets the first.",
    )
    store: str = Field(
        "memory://",
        description="Where sessions are kept: memory://, redis://host:port/db, rediss:// (TLS), "
        "unix:///path/to/socket, or redis+cluster://host:port (rediss+cluster:// with TLS).",
    )
    host: str = Field("127.0.0.1", min_length=1, description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes any.")
    workers: int = Field(
        1, ge=1, le=256, description="Processes that serve; more than one need a shared store."
    )
    backend: str = Field(
        AUTO,
        pattern=f"^({'|'.join((AUTO, *NAMES))})$",
        description=f"What computes: {', '.join(NAMES)}, or {AUTO} for the fastest that runs "
        "here; the answers are the same.",
    )
    session_ttl_seconds: int = Field(
        86_400, ge=1, le=31_536_000, description="How long an unused session is kept."
    )
    max_sessions: int = Field(
        10_000,
        ge=1,
        description="Sessions that memory:// holds; the least recently used go first.",
    )
    max_prefix_characters: int = Field(
        200_000, ge=1, description="The longest text before the cursor, in code points."
    )
    max_body_bytes: int = Field(
        2_097_152,
        ge=1024,
        description="The largest request body; a larger one is dropped as it comes in.",
    )
    queue_limit: int = Field(
        1024,
        ge=1,
        description="Requests that may wait or compute in one worker; more are refused with 503.",
    )
    batch_limit: int = Field(
        128, ge=1, le=4096, description="Sessions that one model steps together."
    )
    kept_sessions: int = Field(
        1024,
        ge=0,
        description="Sessions of which a worker keeps the record, the continuation that it "
        "predicted, and the text where the client names no session; so typing on reads nothing "
        "from the store, and typing what was predicted computes nothing again.",
    )
    kept_pages_megabytes: int = Field(
        128,
        ge=0,
        le=1_048_576,
        description="Memory for what a worker keeps of the texts of the sessions that it served "
        "last, so that suggestions are adapted to them without reading them again.",
    )
    session_key: SecretStr | None = Field(
        None,
        description="Seals sessions in Redis: keys of 32 bytes in base64, separated by commas; the "
        "first one seals, and what any of them has sealed is read.",
    )
    store_timeout_seconds: float = Field(
        0.25, gt=0, le=5, description="How long one call to the store may take."
    )
    store_connections: int = Field(
        8,
        ge=1,
        le=1024,
        description="Connections to Redis, or to each node of a cluster, that one worker may open.",
    )
    shutdown_seconds: int = Field(
        10, ge=0, le=600, description="How long running requests may take when the service stops."
    )
    log_level: str = Field(
        "warning",
        pattern="^(critical|error|warning|info|debug)$",
        description="What is logged: critical, error, warning, info or debug. Never any text.",
    )

    @field_validator("checkpoint", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Splits `a,b`, the form of a variable, and takes a list as it is."""
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not value:
            raise ValueError("expected at least one folder")
        return value

    @field_validator("store")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        if scheme_of(value) not in SCHEMES:
            raise ValueError(f"expected an address that begins with one of {', '.join(SCHEMES)}")
        return value

    @field_validator("session_key")
    @classmethod
    def _real_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            keys_of(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _share_sessions(self) -> Self:
        if self.workers > 1 and scheme_of(self.store) == "memory://":
            raise ValueError(
                f"{PREFIX}WORKERS: {self.workers} workers cannot share memory://; set "
                f"{PREFIX}STORE to redis://host:port/db, or {PREFIX}WORKERS to 1"
            )
        return self


def load(**given: Any) -> Settings:
    """The settings from the environment; values in `given` take precedence over it.

    Warns about variables that begin with NEXTCHAR_ but are not settings. Raises StartupError with
    one line that names the variable and says what was expected.
    """
    if unknown := [name for name in sorted(os.environ) if _is_unknown(name)]:
        warnings.warn("; ".join(map(_said_of_unknown, unknown)), stacklevel=2)
    try:
        return Settings(**given)
    except ValidationError as error:
        raise StartupError(_one_line(error)) from None


def _is_unknown(name: str) -> bool:
    return name.upper().startswith(PREFIX) and _field(name) not in Settings.model_fields


def _said_of_unknown(name: str) -> str:
    near = get_close_matches(_field(name), Settings.model_fields, n=1)
    meant = f", did you mean {PREFIX}{near[0].upper()}?" if near else ""
    return f"{name} is no setting and changes nothing{meant}"


def _field(variable: str) -> str:
    return variable.lower().removeprefix(PREFIX.lower())


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    said = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return said
    name = str(first["loc"][0])
    value = "" if name in SECRET else f" {first['input']!r}"
    wanted = Settings.model_fields[name].description if name in Settings.model_fields else None
    return f"{PREFIX}{name.upper()}:{value} is refused: {said}. {wanted or ''}".strip()
