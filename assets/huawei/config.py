"""What a Huawei source says in ``sources.yaml``, beside the common keys. No requests, no environment."""

import dataclasses
import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, FiniteFloat, ValidationInfo, field_validator

from assets.config import RelativePath, Secret, Section, SourceConfig, checked_url
from assets.feeds import Feed
from assets.huawei import AGENT_STATUS, CMS_HISTORY, CMS_STATUS

# The vendor's documents give 101 to 999999 (cec_07_1222).
WORK_NUMBER = re.compile(r"[1-9][0-9]{2,5}")
NEEDS = {AGENT_STATUS.name: "guid_file or agents", CMS_STATUS.name: "cms", CMS_HISTORY.name: "cms or cms_files"}
FILES_RETENTION = timedelta(days=35)
LONGEST_POLL_SECONDS = 300.0
LONGEST_HOLD_SECONDS = 600.0
"""Samples are looked for up to ten minutes beyond midnight (staging's touched_from)."""


def _work_number(value: str) -> str:
    if not WORK_NUMBER.fullmatch(value):
        raise ValueError('must be the agent\'s work number, 101 to 999999, in quotes, as "101"')
    return value


class HuaweiAgent(Section):
    """A seat that Shiftbook signs in itself.

    Attributes:
        id: The work number, 101 to 999999.
        password: Its password.
        phone: The phone number that the seat answers, as the sign-in wants it.
    """

    id: Annotated[str, AfterValidator(_work_number)]
    password: Secret
    phone: str = ""


class CmsConfig(Section):
    """CC-CMS, for passive collection.

    Attributes:
        base_url: Its address; the source's own where it is left out.
        cc_id: The call centre's id.
        vdn: The id of the VDN whose agents are collected.
        access_key: AK of the signature.
        secret_key: SK of the signature.
    """

    base_url: str | None = None
    cc_id: int
    vdn: int
    access_key: Secret
    secret_key: Secret


class HuaweiConfig(SourceConfig):
    """One call centre; at least one way to learn of its agents must be there.

    The gateway is asked by ``guid_file`` or ``agents``, CC-CMS by ``cms``; files of CC-FS lie in ``cms_files``.

    Attributes:
        poll_seconds: How often each agent's present is asked for, in seconds, at most 300.
        hold_polls: How many intervals two samples may be apart for a state to hold between them; together at most ten
            minutes.
        guid_file: JSON ``{"<work number>": "<GUID>"}`` that the site's own desktop integration keeps current.
        agents: Seats that Shiftbook signs in itself.
        cms_files: A folder in which files of CC-FS with operations of agents lie, CSV or zip.
        cms: How to ask CC-CMS.
    """

    vendor: Literal["huawei"]
    poll_seconds: Annotated[FiniteFloat, Field(gt=0, le=LONGEST_POLL_SECONDS)] = 5.0
    hold_polls: Annotated[FiniteFloat, Field(ge=1)] = 2.0
    guid_file: RelativePath | None = None
    agents: tuple[HuaweiAgent, ...] = ()
    cms_files: RelativePath | None = None
    cms: Annotated[CmsConfig | None, Field(validate_default=True)] = None

    def captures(self, feed: str) -> bool:
        """Whether a feed is captured: the keys for it are there, and ``feeds`` does not leave it out."""
        return super().captures(feed) and self._allows(feed)

    def promised(self, feed: Feed) -> Feed:
        """The feed; of files alone nobody knows for how long the vendor keeps them, so as far as builds reach back."""
        if feed.name == CMS_HISTORY.name and self.cms is None:
            return dataclasses.replace(feed, retention=FILES_RETENTION, last_window=None)
        return feed

    def listens_alone(self, feed: str, /) -> bool:
        """A seat that we sign in can be signed in once."""
        return feed == AGENT_STATUS.name and bool(self.agents)

    def sample_seconds(self, feed: str, /) -> float | None:
        """How far apart the samples of a polled feed are, in seconds."""
        return self.poll_seconds if feed in {AGENT_STATUS.name, CMS_STATUS.name} else None

    def hold_seconds(self, feed: str, /) -> float | None:
        """How far apart two samples may be for a state to hold between them, in seconds."""
        every = self.sample_seconds(feed)
        return None if every is None else self.hold_polls * every

    @property
    def cms_url(self) -> str:
        """The address of CC-CMS, without a slash at its end."""
        return (self.cms.base_url if self.cms else None) or self.base_url

    def _allows(self, feed: str) -> bool:
        if feed == AGENT_STATUS.name:
            return self.guid_file is not None or bool(self.agents)
        return self.cms is not None or (feed == CMS_HISTORY.name and self.cms_files is not None)

    @field_validator("hold_polls")
    @classmethod
    def _within_reach(cls, value: float, info: ValidationInfo) -> float:
        every = info.data.get("poll_seconds")
        if every is not None and value * every > LONGEST_HOLD_SECONDS:
            most = LONGEST_HOLD_SECONDS / every
            raise ValueError(f"must be at most {most:g} with poll_seconds {every:g}: ten minutes together")
        return value

    @field_validator("agents")
    @classmethod
    def _one_way(cls, value: tuple[HuaweiAgent, ...], info: ValidationInfo) -> tuple[HuaweiAgent, ...]:
        if value and info.data.get("guid_file") is not None:
            raise ValueError("guid_file is given already, and each seat can be signed in once; remove one of the two")
        ids = [agent.id for agent in value]
        if twice := sorted({one for one in ids if ids.count(one) > 1}):
            raise ValueError(f"agent {twice[0]} stands twice; remove one")
        return value

    @field_validator("cms")
    @classmethod
    def _something(cls, value: CmsConfig | None, info: ValidationInfo) -> CmsConfig | None:
        if not {"guid_file", "agents", "cms_files", "feeds"} <= info.data.keys():
            return value  # their own errors are enough
        gateway = info.data["guid_file"] is not None or bool(info.data["agents"])
        files = info.data["cms_files"] is not None
        if not gateway and value is None and not files:
            raise ValueError("nothing says how to ask; add guid_file, agents, cms or cms_files")
        cms = value is not None
        needs = {AGENT_STATUS.name: gateway, CMS_STATUS.name: cms, CMS_HISTORY.name: cms or files}
        for feed in info.data["feeds"] or ():
            if not needs.get(feed, True):
                raise ValueError(f"feeds names {feed}, which needs {NEEDS[feed]}; add it, or take {feed} out of feeds")
        if value is not None and value.base_url is not None:
            allowed = info.data.get("allow_http", True)
            return value.model_copy(update={"base_url": checked_url(value.base_url, allow_http=allowed)})
        return value
