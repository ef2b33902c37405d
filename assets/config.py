"""What a source in ``sources.yaml`` may say, whatever its vendor: common keys, secrets, addresses and paths.

Vendors add their own keys in ``assets/<vendor>/config.py``. Nothing here reads the environment or a file of settings:
``orchestration/settings.py`` does, and passes both in an :class:`Origin`.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, ClassVar, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    GetCoreSchemaHandler,
    PrivateAttr,
    ValidationInfo,
    field_validator,
)
from pydantic_core import CoreSchema, core_schema

from assets.feeds import Feed
from assets.hours import OpenHours, parse_hours

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
SOURCE_NAME = re.compile(r"[a-z][a-z0-9_]*")
NAME_LENGTH = 100  # the name is part of a file name, of which file systems take 255 bytes


class MissingVariableError(ValueError):
    """A ``${NAME}`` names an environment variable that is not set, or is empty."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where settings come from; the context in which a configuration is validated.

    Attributes:
        file: The file of settings; paths in it are relative to its folder.
        source: The source as messages name it (``source cx_us``); empty for keys at the top level.
        environ: The environment. Secrets keep it and look when they are used, so a rotated one is seen.
        pace_dir: Where limits of requests are kept that processes share; without one each keeps its own.
    """

    file: Path = Path("sources.yaml")
    source: str = ""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    pace_dir: Path | None = None

    def place(self, key: str) -> str:
        """``<file>: <source>: <key>``, the beginning of every message about a key."""
        return ": ".join(part for part in (str(self.file), self.source, key) if part)


class Secret:
    """A reference to a secret, never the secret: it is read from the environment at each :meth:`reveal`.

    Neither ``repr``, ``str``, ``model_dump`` nor an error shows more than the name of the variable.
    """

    __slots__ = ("_environ", "_place", "variable")

    def __init__(self, variable: str, environ: Mapping[str, str], place: str = "secret") -> None:
        """Refer to an environment variable; ``place`` (file, source and key) begins the message if it is missing."""
        self.variable = variable
        self._environ = environ
        self._place = place

    def reveal(self) -> str:
        """The secret itself, as the environment has it now.

        Raises:
            MissingVariableError: The variable is not set or is empty; the message names file, source and key.
        """
        value = self._environ.get(self.variable)
        if not value:
            raise MissingVariableError(f"{self._place}: {_unset(self.variable)}")
        return value

    def __repr__(self) -> str:
        return f"Secret({self})"

    def __str__(self) -> str:
        return f"${{{self.variable}}}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.variable == self.variable

    def __hash__(self) -> int:
        return hash((Secret, self.variable))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: type, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Only a Secret is one (``Section`` makes it from ``${NAME}``); dumped as its reference."""
        return core_schema.is_instance_schema(cls, serialization=core_schema.plain_serializer_function_ser_schema(str))


class Section(BaseModel):
    """A mapping of ``sources.yaml``: unknown keys are errors, ``${NAME}`` is understood in every text, also in lists.

    A text is resolved when the file is loaded, because an address or an id must be checked then; a secret when used.
    """

    # Input is hidden, so that not even an error that nobody translated repeats a secret.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    literal_keys: ClassVar[frozenset[str]] = frozenset()  # in which ``${NAME}`` is not resolved

    @field_validator("*", mode="before")
    @classmethod
    def _resolve(cls, value: object, info: ValidationInfo) -> object:
        """Make secrets of references, and texts of texts with references."""
        key = info.field_name or ""
        origin = origin_of(info)
        annotation = cls.model_fields[key].annotation
        accepted = {annotation, *get_args(annotation)}
        if Secret in accepted:
            return _as_secret(value, origin, key)
        if isinstance(value, bool) and bool not in accepted:
            raise ValueError("yes, no, true or false make no sense here; put the value in quotes if it is a text")
        if key in cls.literal_keys:
            return value
        if isinstance(value, list | tuple):
            return [_expand(item, origin.environ) for item in value]
        return _expand(value, origin.environ)


def origin_of(info: ValidationInfo) -> Origin:
    """The origin given as the context of a validation, else one with an empty environment."""
    return info.context if isinstance(info.context, Origin) else Origin()


def _as_secret(value: object, origin: Origin, key: str) -> object:
    if value is None or isinstance(value, Secret):
        return value
    reference = REFERENCE.fullmatch(value.strip()) if isinstance(value, str) else None
    if reference is None:
        raise ValueError("a secret may not stand in this file; write ${NAME} and set the environment variable NAME")
    return Secret(reference[1], origin.environ, origin.place(key))


def _expand(value: object, environ: Mapping[str, str]) -> object:
    if not isinstance(value, str) or "${" not in value:
        return value
    if "${" in REFERENCE.sub("", value):
        raise ValueError("${…} must hold the name of an environment variable, as ${CX_TENANT}")
    missing = [name for name in REFERENCE.findall(value) if not environ.get(name)]
    if missing:
        raise MissingVariableError(_unset(missing[0]))
    return REFERENCE.sub(lambda match: environ[match[1]], value)


def _unset(variable: str) -> str:
    return f"environment variable {variable} is not set or is empty; set it, or correct the name in ${{{variable}}}"


def _source_name(value: str) -> str:
    if not SOURCE_NAME.fullmatch(value) or len(value) > NAME_LENGTH:
        raise ValueError(f"must be a-z, 0-9 and _, begin with a letter, and have at most {NAME_LENGTH} characters")
    return value


def _some(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("must name a feed; to capture nothing, set enabled: false")
    return value


def _day(value: object) -> date:
    # YAML makes a number of 20260131, which pydantic would take for seconds since 1970.
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("must be a day, as 2026-01-31") from None


def _beside_the_file(value: Path, info: ValidationInfo) -> Path:
    return (origin_of(info).file.parent / value).absolute()


def _present(value: Path) -> Path:
    if not value.is_file():
        raise ValueError("no such file; a relative path begins at the folder of sources.yaml")
    return value


RelativePath = Annotated[Path, AfterValidator(_beside_the_file)]
"""A path relative to the folder of ``sources.yaml``, made absolute; the file need not exist yet."""

PresentFile = Annotated[Path, AfterValidator(_beside_the_file), AfterValidator(_present)]
"""The same for a file that must exist when the settings are loaded."""


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine: ``localhost``, ``127.0.0.0/8`` or ``::1``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_url(value: str, *, allow_http: bool) -> str:
    """An address that credentials may be sent to, without a slash at its end.

    Raises:
        ValueError: Not an http(s) URL of a host; holds credentials, a query or a fragment; or is plain http to
            another machine without ``allow_http``.
    """
    message = "must be a URL, as https://api.example.com:8043"
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        # Its own text repeats a part of the URL, in which a password may stand.
        raise ValueError(message) from None
    if parts.scheme not in {"http", "https"} or not host or port == 0 or re.search(r"[\s\\]", value):
        raise ValueError(message)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must hold no user, password, query or fragment; credentials have keys of their own")
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        raise ValueError("plain http would show credentials to the network; use https, or set allow_http: true")
    return value.rstrip("/")


def _hours(value: object) -> object:
    if value is None or isinstance(value, OpenHours):
        return value
    texts = value if isinstance(value, list | tuple) else [value]
    return parse_hours([text if isinstance(text, str) else "" for text in texts])


class Freshness(Section):
    """How late a feed may be, in minutes of open hours beyond what is usual for it: its own delay and rhythm.

    Attributes:
        warn_minutes: From when on it is late, which is a warning.
        fail_minutes: From when on it is stale, which is a failure and an alarm.
    """

    warn_minutes: Annotated[FiniteFloat, Field(gt=0)] = 15.0
    fail_minutes: Annotated[FiniteFloat, Field(gt=0, validate_default=True)] = 60.0

    @field_validator("fail_minutes")
    @classmethod
    def _later(cls, value: float, info: ValidationInfo) -> float:
        if value < info.data.get("warn_minutes", 0):
            raise ValueError("must not be less than warn_minutes; they are 60 and 15 unless set")
        return value


class SourceConfig(Section):
    """The keys that every source may have.

    Attributes:
        name: The ``source`` column everywhere; unique, ``[a-z][a-z0-9_]*``.
        vendor: The vendor's name in the registry.
        enabled: Whether it is captured; what was captured stays either way.
        since: The first UTC day to capture; none means as far back as the vendor keeps.
        max_requests_per_minute: Upper limit of our own, in requests per minute.
        timeout_seconds: How long one request may wait for the vendor, in seconds.
        verify_tls: Whether the vendor's certificate is verified.
        ca_bundle: A PEM file of authorities to trust instead of the built-in ones.
        allow_http: Whether plain http to another machine is accepted.
        base_url: The vendor's address, without a slash at its end.
        retain_raw_days: How many days of raw segments are kept; none means all.
        feeds: Names of the feeds to capture; none means all that the vendor offers, but those that must be named.
        tolerance_seconds: How far a figure of ours may be from the vendor's own, in seconds.
        stuck_after_hours: How long a state may last before a check tells of it, in hours.
        freshness: How late its feeds may be before that is a warning, and a failure.
        open_hours: When being late counts, by the wall clock of ``report_timezone``; none means always.
    """

    literal_keys: ClassVar[frozenset[str]] = frozenset({"name", "vendor"})  # they are read before the rest is

    name: Annotated[str, AfterValidator(_source_name)]
    vendor: str
    enabled: bool = True
    since: Annotated[date, BeforeValidator(_day)] | None = None
    max_requests_per_minute: Annotated[int, Field(gt=0)] | None = None
    timeout_seconds: Annotated[FiniteFloat, Field(gt=0)] = 60.0
    verify_tls: bool = True
    ca_bundle: PresentFile | None = None
    allow_http: bool = False
    base_url: str
    retain_raw_days: Annotated[int, Field(gt=0)] | None = None
    feeds: Annotated[tuple[str, ...], AfterValidator(_some)] | None = None
    tolerance_seconds: Annotated[FiniteFloat, Field(ge=0)] = 2.0
    stuck_after_hours: Annotated[FiniteFloat, Field(gt=0)] = 24.0
    freshness: Freshness = Freshness()
    open_hours: Annotated[OpenHours, BeforeValidator(_hours)] = OpenHours()
    _pace_dir: Path | None = PrivateAttr(None)

    def model_post_init(self, context: object, /) -> None:
        """Keep what the origin says beside the keys."""
        self._pace_dir = context.pace_dir if isinstance(context, Origin) else None

    @property
    def pace_dir(self) -> Path | None:
        """Where limits of requests are kept that processes share; none for a configuration of no home."""
        return self._pace_dir

    def captures(self, feed: str) -> bool:
        """Whether a feed of the vendor is captured: it is named in ``feeds``, or nothing is named there."""
        return self.feeds is None or feed in self.feeds

    def promised(self, feed: Feed) -> Feed:
        """A feed as this source has it; a vendor whose promises are not the same everywhere changes them here."""
        return feed

    def sums_unit_seconds(self) -> float:
        """How many seconds one unit of the vendor's own sums is."""
        return 1.0

    def listens_alone(self, _feed: str, /) -> bool:
        """Whether one process alone can listen to a live feed, so that a second one must wait for the first to end."""
        return False

    def sample_seconds(self, _feed: str, /) -> float | None:
        """How far apart the samples of a polled feed are, in seconds; None for a feed that tells of changes."""
        return None

    def hold_seconds(self, _feed: str, /) -> float | None:
        """How far apart two samples may be for a state to hold between them, in seconds; None as for the other."""
        return None

    @field_validator("base_url")
    @classmethod
    def _safe_address(cls, value: str, info: ValidationInfo) -> str:
        # When allow_http itself is wrong, its own error is enough.
        return checked_url(value, allow_http=info.data.get("allow_http", True))
