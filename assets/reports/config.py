"""What ``reports.yaml`` may say of a report; which reports there are is in ``catalogue.py``.

Nothing here reads a file: ``orchestration/settings.py`` does, with the same checks and words as for ``sources.yaml``.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from assets.config import NAME_LENGTH, SOURCE_NAME, Secret, Section, Zone, origin_of
from assets.reports.catalogue import REPORTS
from assets.reports.model import EXTENSIONS
from assets.reports.pseudonyms import Pseudonyms

_URI = re.compile(r"[a-z][a-z0-9+.-]+://.+")


def _name(value: str) -> str:
    if not SOURCE_NAME.fullmatch(value) or len(value) > NAME_LENGTH:
        raise ValueError(f"must be a-z, 0-9 and _, begin with a letter, and have at most {NAME_LENGTH} characters")
    return value


def _free(value: str) -> str:
    if value == "overview":
        raise ValueError("is taken by the page that every build writes; choose another")
    return value


def _formats(value: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in value if name not in EXTENSIONS]
    if unknown or not value:
        raise ValueError(f"must be some of {', '.join(EXTENSIONS)}")
    return tuple(name for name in EXTENSIONS if name in value)


def _some(value: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if value is not None and not value:
        raise ValueError("must name at least one; leave it out for all")
    return value


def _numbers_are_texts(value: object) -> object:
    # YAML makes a number of 101, and the agent's id is a text.
    return [str(item) if type(item) is int else item for item in value] if isinstance(value, list) else value


Names = Annotated[tuple[str, ...] | None, BeforeValidator(_numbers_are_texts), AfterValidator(_some)]


class Hiding(Section):
    """What hides people.

    Attributes:
        pseudonymise: Whether pseudonyms stand for ids and names of agents.
        pseudonym_key: The secret that they are made with.
    """

    pseudonymise: bool = False
    pseudonym_key: Annotated[Secret | None, Field(validate_default=True)] = None

    @field_validator("pseudonym_key")
    @classmethod
    def _keyed(cls, value: Secret | None, info: ValidationInfo) -> Secret | None:
        if value is None and info.data.get("pseudonymise"):
            raise ValueError("is required with pseudonymise: true; write ${NAME} and set the environment variable NAME")
        return value

    @property
    def pseudonyms(self) -> Pseudonyms | None:
        """What stands for people; none where they are not hidden.

        Raises:
            ValueError: The key is not set or too short.
        """
        return Pseudonyms(self.pseudonym_key.reveal()) if self.pseudonymise and self.pseudonym_key else None


class OverviewConfig(Hiding):
    """The key ``overview:``.

    Attributes:
        enabled: Whether each build writes it; if not, there is none.
    """

    enabled: bool = True


class ReportConfig(Hiding):
    """One entry of ``reports:``.

    Attributes:
        name: The folder's name below ``exports`` and the asset's; unique.
        report: Which report it is; the name, unless it says otherwise.
        enabled: Whether it is issued by schedule; on the command line it can be asked for either way.
        formats: Formats in which it is rendered, in the order of ``EXTENSIONS``.
        timezone: IANA zone of its days; none means ``report_timezone``.
        teams: Only agents of these teams; none means all. Who is in no team is in ``(no team)``.
        agents: Only agents with these ids; none means all.
        sources: Only these sources; none means all.
        grain_minutes: Length of its intervals.
        hold_minutes: How long after the end of the day it is held back for late data.
        reissue_days: For how many days it is issued again when something changes.
        folder: Where each new edition is copied to: a folder, or the prefix of an object store as ``s3://bucket/reports``.
    """

    name: Annotated[str, AfterValidator(_name), AfterValidator(_free)]
    report: str = Field(default="", validate_default=True)
    enabled: bool = True
    formats: Annotated[tuple[str, ...], AfterValidator(_formats)] = tuple(EXTENSIONS)
    timezone: Zone | None = None
    teams: Names = None
    agents: Names = None
    sources: Names = None
    grain_minutes: Literal[15, 30, 60] = 30
    hold_minutes: Annotated[int, Field(ge=0, lt=1440)] = 60
    reissue_days: Annotated[int, Field(ge=0, le=35)] = 7
    folder: str | None = None

    @field_validator("report")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        # A wrong name has an error of its own.
        kind = value or str(info.data.get("name", next(iter(REPORTS))))
        if kind not in REPORTS:
            raise ValueError(f"there is no report {kind}; set report: to one of {', '.join(REPORTS)}")
        return kind

    @field_validator("folder")
    @classmethod
    def _placed(cls, value: str | None, info: ValidationInfo) -> str | None:
        """A path is relative to the folder of the file; an address of an object store stays."""
        if value is None or _URI.fullmatch(value):
            return value
        return str((origin_of(info).file.parent / value).absolute())


def all_reports() -> tuple[ReportConfig, ...]:
    """Every report as it is without a file: all agents, all formats."""
    return tuple(ReportConfig(name=name) for name in REPORTS)
