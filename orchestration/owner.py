"""Whose a home is: what another user writes there, locks above all, its owner could not open any more.

Only looks. Which commands write belongs in ``cli.py``.
"""

import os
import pwd
from pathlib import Path


class OwnerError(Exception):
    """The home belongs to somebody else; the message says who that is, and how to go on."""


def confirm_owner(home: Path) -> None:
    """See to it that we may write into a home: it is ours, or not there yet.

    Raises:
        OwnerError: It belongs to another user, be we root or not.
    """
    own = os.geteuid()
    try:
        owner = home.stat().st_uid
    except FileNotFoundError:
        return
    if owner == own:
        return
    name = _name(owner)
    raise OwnerError(
        f"{home} belongs to {name}, and this is {_name(own)}: what is written there now {name} could not open later, "
        f"and a running Shiftbook would stop. Run it as its owner: 'sudo -u {name.split()[0]} …', or, with the secrets "
        "of the service, by systemd-run as docs/operations.md says under 'Commands beside the service'"
    )


def _name(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"#{uid} (uid {uid})"  # sudo takes it so
