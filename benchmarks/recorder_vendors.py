"""Stand-ins for the vendors that the recorder is measured with: CC-Gateway's agents, and BeyondTrust's live state.

They speak the real protocols over a real socket and do nothing else, so that the recorder is what is measured; the
simulator, which knows what it tells, could not tell it as often. A process of its own, on a core of its own.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from contextlib import suppress

from aiohttp import WSMsgType, web

SUBPROTOCOL = "ingredi state api"
REPRESENTATIVES = 2_000
_TURN = 0.01
_TALKING = 7
_FILLER = {f"column_{number}": "x" * 16 for number in range(8)}


class Vendors:
    """Both vendors on one address. ``updates`` a second are told, numbered and timed, for so many seconds."""

    def __init__(self, updates: int, seconds: float) -> None:
        self.rate, self.seconds = updates, seconds
        self.polls = self.updates = 0
        self.behind = 0.0

    def app(self) -> web.Application:
        """What is served."""
        app = web.Application()
        app.router.add_get("/agentgateway/resource/onlineagent/{agent}/agentstatus", self.status)
        app.router.add_post("/oauth2/token", self.token)
        app.router.add_get("/nw", self.state)
        return app

    async def status(self, request: web.Request) -> web.Response:
        """An agent's state; it changes twice a minute."""
        self.polls += 1
        state = (4, 7, 5, 3)[int(time.time() / 30 + int(request.match_info["agent"])) % 4]
        said = {"message": "", "retcode": "0", "result": {"agentState": state, "isWorking": state == _TALKING}}
        return web.json_response(said)

    async def token(self, _request: web.Request) -> web.Response:
        """An access token."""
        return web.json_response({"access_token": "benchmark", "token_type": "Bearer", "expires_in": 3600})

    async def state(self, request: web.Request) -> web.WebSocketResponse:
        """The live state: handshake, full copy, updates."""
        socket = web.WebSocketResponse(protocols=(SUBPROTOCOL,))
        await socket.prepare(request)
        for _ in ("authenticate", "subscribe"):
            message = await socket.receive()
            if message.type is not WSMsgType.TEXT:
                return socket
            await _say(socket, {"success": True})
        telling = asyncio.create_task(self._tell(socket))
        async for _ in socket:
            pass
        telling.cancel()
        return socket

    async def _tell(self, socket: web.WebSocketResponse) -> None:
        await _say(socket, {"type": "truncate_model"})
        rows = {str(number): _representative(number) for number in range(REPRESENTATIVES)}
        await _say(socket, {"type": "update_model", "insert": {"representative": rows}})
        began = time.monotonic()
        for number in range(int(self.rate * self.seconds)):
            due = began + number / self.rate
            if due - time.monotonic() > _TURN:
                await asyncio.sleep(_TURN)
            self.behind = max(self.behind, time.monotonic() - due)
            row = {"routing_busy": number % 2, "number": number, "told": time.time(), **_FILLER}
            with suppress(ConnectionError):
                changed = {"representative": {str(number % REPRESENTATIVES): row}}
                await _say(socket, {"type": "update_model", "update": changed})
                self.updates += 1


async def _say(socket: web.WebSocketResponse, what: object) -> None:
    await socket.send_bytes(json.dumps(what).encode() + b"\n")


def _representative(number: int) -> dict[str, object]:
    flags = {"routing_available": 1, "routing_idle": 0, "routing_busy": 0, "routing_enabled": 1}
    return {"user_id": number, "username": f"rep{number}", "created_timestamp": 1_790_000_000, **flags, **_FILLER}


async def serve(vendors: Vendors) -> None:
    """Serve until standard input is closed; print the port first and the counts last."""
    runner = web.AppRunner(vendors.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps({"polls": vendors.polls, "updates": vendors.updates, "behind": vendors.behind}), flush=True)
    await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("updates", type=int)
    parser.add_argument("seconds", type=float)
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    asyncio.run(serve(Vendors(options.updates, options.seconds)))
