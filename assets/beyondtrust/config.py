"""What a BeyondTrust source says in ``sources.yaml``, beside the common keys. No requests, no environment."""

from typing import Literal

from assets.config import Secret, SourceConfig


class BeyondTrustConfig(SourceConfig):
    """One site of BeyondTrust Remote Support.

    Attributes:
        client_id: OAuth client id of the API account.
        client_secret: Its secret.
        company: The site's company API name, where the appliance serves several.
    """

    vendor: Literal["beyondtrust"]
    client_id: Secret
    client_secret: Secret
    company: str | None = None
