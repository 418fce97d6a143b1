"""Reading the settings: the file, the environment over it, and what is wrong with them."""

import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from edge.model.faults import faults
from edge.settings.sections import (
    AdminSection,
    CallsSection,
    DatabaseSection,
    LogsSection,
    MediaSection,
    PublicSection,
    RoutingSection,
    Section,
    SipSection,
    StirSection,
    none_if_empty,
)

CONFIG_FILE = Path("config/edge.toml")
PREFIX = "EDGE_"
# Read by the command line, not keys of the file.
_OTHER_VARIABLES = frozenset({"EDGE_CONFIG", "EDGE_URL", "EDGE_TOKEN", "EDGE_TOKEN_FILE"})
_SECRETS = ("EDGE_ADMIN_TOKEN", "EDGE_DATABASE__URL")


class Problem(NamedTuple):
    """One thing wrong: the key (or variable), its value as written, and what to do about it."""

    key: str
    value: str
    remedy: str

    def __str__(self) -> str:
        shown = f" = {self.value}" if self.value else ""
        return f"{self.key}{shown}: {self.remedy}"


class SettingsError(Exception):
    """The settings can not be used; ``problems`` lists all that is wrong (exit code 2)."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Settings(BaseSettings):
    """Everything that the server is told at its start.  Made by ``load``."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=False
    )

    data_dir: Path = Path("data")
    sip: SipSection = SipSection()
    stir: StirSection = StirSection()
    media: MediaSection = MediaSection()
    calls: CallsSection = CallsSection()
    admin: AdminSection = AdminSection()
    public: PublicSection = PublicSection()
    database: DatabaseSection = DatabaseSection()
    routing: RoutingSection = RoutingSection()
    logs: LogsSection = LogsSection()
    admin_token: Annotated[SecretStr | None, BeforeValidator(none_if_empty)] = None

    @property
    def database_path(self) -> Path:
        """The embedded database's file."""
        return self.data_dir / "edge.db"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment over the file (which ``load`` passes as arguments)."""
        return (_Environment(settings_cls), init_settings)


class _Environment(EnvSettingsSource):
    """``EDGE_…`` variables; lists as JSON or separated by commas."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in _with_secret_files(os.environ).items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        if isinstance(value, str) and not value.lstrip().startswith(("[", "{")):
            return [item.strip() for item in value.split(",") if item.strip()]
        return json.loads(value)


def config_file(given: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file that ``load`` reads: the one given, else ``EDGE_CONFIG``, else the usual one if there."""
    if given is not None:
        return given
    if environ.get("EDGE_CONFIG"):
        return Path(environ["EDGE_CONFIG"])
    return CONFIG_FILE if CONFIG_FILE.is_file() else None


def load(given: Path | None = None) -> Settings:
    """The settings out of file and environment; raises SettingsError with every problem found."""
    path = config_file(given)
    table = _read(path) if path is not None else {}
    problems = tuple(_misspelt_variables(os.environ))
    if "admin_token" in table:
        remedy = "a token does not belong in this file; set EDGE_ADMIN_TOKEN or EDGE_ADMIN_TOKEN_FILE"
        problems += (Problem("admin_token", "", remedy),)
    if problems:
        raise SettingsError(problems)
    try:
        return Settings(**table)
    except ValidationError as error:
        raise SettingsError(tuple(_explain(error))) from None
    except ValueError as error:
        raise SettingsError((Problem("environment", "", str(error)),)) from None


def keys() -> tuple[str, ...]:
    """Every key of the file, dotted: ``sip.listen``."""
    return tuple(_keys())


def _keys() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from (f"{name}.{key}" for key in field.annotation.model_fields)
        elif name != "admin_token":
            yield name


def _variables() -> set[str]:
    names = {PREFIX + key.upper().replace(".", "__") for key in keys()} | {"EDGE_ADMIN_TOKEN"}
    return names | {f"{name}_FILE" for name in _SECRETS} | _OTHER_VARIABLES


def _misspelt_variables(environ: Mapping[str, str]) -> Iterator[Problem]:
    known = _variables()
    for name in sorted(environ):
        if name.upper().startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.4)
            yield Problem(
                name, "", f"no such variable; did you mean {close[0]}?" if close else "no such variable"
            )


def _with_secret_files(environ: Mapping[str, str]) -> dict[str, str]:
    found = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    for name in _SECRETS:
        path = found.pop(f"{name}_FILE", None) or _credential(environ, name)
        if path is not None and name not in found:
            found[name] = _secret(name, Path(path))
    return {name: value for name, value in found.items() if name not in _OTHER_VARIABLES}


def _credential(environ: Mapping[str, str], name: str) -> str | None:
    directory = environ.get("CREDENTIALS_DIRECTORY")
    path = Path(directory) / name if directory else None
    return str(path) if path is not None and path.is_file() else None


def _secret(name: str, path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError((Problem(f"{name}_FILE", str(path), f"can not be read: {why}"),)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError((Problem("--config", str(path), f"can not be read: {error.strerror}"),)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError((Problem("--config", str(path), f"is not valid TOML: {error}"),)) from None


def _explain(error: ValidationError) -> Iterator[Problem]:
    for line in faults(error):
        key = _dotted(line["loc"])
        shown = "" if key.startswith(("admin_token", "database.url")) else repr(line["input"])[:200]
        yield Problem(key, shown, _remedy(key, line["type"], line["msg"]))


def _dotted(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _remedy(key: str, kind: str, message: str) -> str:
    if kind != "extra_forbidden":
        return message.removeprefix("Value error, ")
    known = {*keys(), *Settings.model_fields}
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
    return f"no such key; did you mean {close[0]}?" if close else "no such key"
