"""What a BeyondTrust source says in ``sources.yaml``, beside the common keys. No requests, no environment."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from assets.config import Secret, SourceConfig


class BeyondTrustConfig(SourceConfig):
    """One site of Remote Support, at its own address, as ``https://support.example.com``.

    Attributes:
        client_id: OAuth client id of an API account.
        client_secret: Its secret; a new one ends all tokens of the account at once.
        company: The site's "Company API Name" (Status > Information); needed where one appliance serves several.
        handshake: How the Real-Time State API is opened: ``subprotocol``, or ``ns01`` as appliances of old want it.
    """

    vendor: Literal["beyondtrust"]
    client_id: Secret
    client_secret: Secret
    company: Annotated[str, Field(pattern=r"^[\x21-\x7e]+$")] | None = None  # it goes into a header and a line
    handshake: Literal["subprotocol", "ns01"] = "subprotocol"

    @field_validator("handshake")
    @classmethod
    def _names_its_company(cls, value: str, info: ValidationInfo) -> str:
        # When company itself is wrong, its own error is enough.
        if value == "ns01" and info.data.get("company", "") is None:
            raise ValueError("ns01 names the company in its first line; set company, as Status > Information shows it")
        return value
