"""Asks the Command API for its present, gently: who is signed in, teams, connected clients, health, and who we are.

Each answer is handed on as it came. The state of representatives comes from other feeds; this one backs them up.
"""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from assets.askers import page
from assets.beyondtrust import xml
from assets.beyondtrust.appliance import COMMAND_PATH, FORBIDDEN, PERMISSIONS, Appliance, shared
from assets.beyondtrust.config import BeyondTrustConfig
from assets.capture import Probe
from assets.http import HttpError, Reply, Retry
from assets.live import LiveError, Sink
from assets.threads import aside

LOGGER = logging.getLogger(__name__)
RETRY = Retry(tries=3, longest_wait=10.0, max_elapsed=30.0)


@dataclass(frozen=True, slots=True)
class Poll:
    """A call that is made again and again; ``every`` is the pause between its beginnings, in seconds."""

    action: str
    every: float
    params: tuple[tuple[str, str], ...] = ()


# "Cache the results": repeated lists of representatives and teams "might bottleneck your system" (Command page).
POLLS = (
    Poll("get_api_info", 600.0),
    Poll("get_logged_in_reps", 60.0),
    Poll("check_health", 60.0),
    Poll("get_support_teams", 600.0, (("showmembers", "1"),)),
    Poll("get_connected_clients", 600.0, (("type", "representative"),)),
)


class CommandClient:
    """The Command API of one appliance. Nothing is asked, and no secret read, before it is run.

    Args:
        config: The source.
        appliance: How to ask; by default shared with the source's other feeds.
        polls: What to ask for.
    """

    def __init__(
        self, config: BeyondTrustConfig, appliance: Appliance | None = None, polls: tuple[Poll, ...] = POLLS
    ) -> None:
        self._config = config
        self._appliance = appliance or shared(config)
        self._polls = polls
        self._refused: set[Poll] = set()

    async def run(self, sink: Sink) -> None:
        """Ask until cancelled, one call after the other; coverage begins with the first answer.

        A call that is refused is told once and asked for again at its time; when all are refused, listening ends.

        Raises:
            LiveError: The appliance cannot be asked; lasting when it refuses every call.
        """
        loop = asyncio.get_running_loop()
        due = {poll: loop.time() for poll in self._polls}
        self._refused.clear()
        while True:
            poll = min(self._polls, key=lambda one: due[one])
            await asyncio.sleep(due[poll] - loop.time())
            due[poll] = loop.time() + poll.every
            try:
                reply = await aside(partial(self._ask, poll))
            except HttpError as error:
                self._go_on_after(error, poll)
                continue
            sink.watching(reply.received_at, reply.vendor_time)
            await sink.take(page(reply))
            self._note(poll, _error(reply))

    def probe(self) -> Iterator[Probe]:
        """Look at reachability, credentials, permission and clock."""
        yield from self._appliance.examine("perm_command", "Command API: read-only")

    def _go_on_after(self, error: HttpError, poll: Poll) -> None:
        if error.status != FORBIDDEN:
            raise LiveError(f"{self._config.name}: command: {error}", lasting=not error.transient)
        self._note(poll, str(error))

    def _note(self, poll: Poll, refusal: str | None) -> None:
        """Remember whether a call is refused, by status or by an error document."""
        if refusal is None:
            self._refused.discard(poll)
            return
        if poll not in self._refused:
            LOGGER.warning("%s: command: %s came to nothing (%s)", self._config.name, poll.action, refusal)
        self._refused.add(poll)
        if len(self._refused) == len(self._polls):
            message = f"{self._config.name}: command: every call is refused, the last with: {refusal}; {PERMISSIONS}"
            raise LiveError(message, lasting=True)

    def _ask(self, poll: Poll) -> Reply:
        return self._appliance.get(COMMAND_PATH, {"action": poll.action, **dict(poll.params)}, RETRY, lane="live")


def _error(reply: Reply) -> str | None:
    """What an error document says; None for any other answer, also one that cannot be read: that is for SQL to tell."""
    try:
        return xml.error(xml.read(reply.body))
    except xml.UnreadableError:
        return None
