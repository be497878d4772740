"""The only reader of the environment: `pincite.toml`, then `PINCITE_*`, then options, the later winning."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "pincite"


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pincite"


class Settings(BaseSettings):
    """Every setting; each is a key of `pincite.toml`, an environment variable, and where it makes sense an option."""

    model_config = SettingsConfigDict(
        env_prefix="PINCITE_",
        toml_file="pincite.toml",
        extra="forbid",
        frozen=True,
        env_ignore_empty=True,
    )

    data: Path = Field(default_factory=_data_home, description="the data folder")
    cache: Path = Field(default_factory=_cache_home, description="where models are kept as prepared for this machine")
    model: str | None = Field(None, description="a sentence-transformers model folder or locally cached name")
    reader: Literal["on", "off"] = Field("on", description="whether the passages found are read")
    host: str = Field("127.0.0.1", description="the address to serve on; only loopback addresses are accepted")
    port: int = Field(8000, ge=0, le=65535, description="the port to serve on; 0 takes a free one")
    questions_at_once: int = Field(16, ge=1, le=32, description="questions answered at the same time")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default_factory=tuple, description="origins whose pages may use the API"
    )
    log_format: Literal["text", "json"] = Field("text", description="how the server writes its log")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least that is logged")
    log_questions: bool = Field(False, description="whether the log repeats what was asked")

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        """Take a list as TOML has it, or names between commas as an environment variable can hold them."""
        return tuple(one.strip() for one in value.split(",") if one.strip()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if not _ORIGIN.fullmatch(one):
                raise ValueError(f"{one!r} is no origin; write it as a browser sends it, such as https://example.org")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let options win over the environment, and the environment over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(options: Mapping[str, Any]) -> Settings:
    """Read all settings with `options` on top; raises ValueError with one line that says what to change."""
    plain = os.environ.get("PORT")  # many hosts set it; PINCITE_PORT is the more particular one
    if plain and not os.environ.get("PINCITE_PORT"):
        options = {"port": plain, **options}
    try:
        return Settings(**options)
    except ValidationError as problem:
        first = problem.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "a setting"
        raise ValueError(
            f"the setting {name} is not usable: {first['msg']} (got {first['input']!r}). Change it in pincite.toml, "
            f"in the environment as PINCITE_{name.upper()}, or as an option."
        ) from None
    except (OSError, tomllib.TOMLDecodeError) as problem:
        raise ValueError(f"pincite.toml cannot be read: {problem}. Mend or remove it.") from None


def origins(options: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (name, value, where it came from) of every setting."""
    settings = load_settings(options)
    file = Path("pincite.toml")
    in_file = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    rows = []
    for name in Settings.model_fields:
        variables = [f"PINCITE_{name.upper()}", *(["PORT"] if name == "port" else [])]
        variable = next((one for one in variables if os.environ.get(one)), None)
        origin = "option" if name in options else variable or ("pincite.toml" if name in in_file else "default")
        value = getattr(settings, name)
        rows.append((name, ", ".join(value) if isinstance(value, tuple) else str(value), origin))
    return rows
