"""The page of `play --web`, served to this machine alone.

Who may ask: whoever knows the address with its random token, from a page of this very server. Everything else gets the
same short refusal, and nothing but the page and its two questions is there to be had.
"""

import contextlib
import json
import secrets
import signal
import socket
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from shared.display.web import part
from shared.display.web.match import PLAYERS, Match, Table
from shared.errors import UserError
from shared.signals import SIGNALS

LOOPBACK = "127.0.0.1"
HTTP = 80  # the port that no address has to name
MATCHES = 8  # that go on at once, in as many tabs; the oldest makes room
LONGEST_QUESTION = 4096  # bytes
SCRIPTS = ("remote.js", "page.js")
START = "new Page(new RemoteTable(DATA));"
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "frame-ancestors 'none'",
}


class Refused(Exception):
    """A question that is not answered: a status and a line for the person."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def listen(port: int) -> socket.socket:
    """A socket at a port of this machine's own address; 0 takes any that is free.

    Raises:
        UserError: if the port is taken, or not allowed.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise UserError(
            f"--port {port}: {error.strerror or error}; give another one, or 0 for any that is free"
        ) from None
    return listener


class Server:
    """Serves one page and plays what is asked for on it.

    Args:
        page: the HTML.
        table: what games are played with.
        actions: how many actions there are.
        listener: of `listen`.
    """

    def __init__(self, page: str, table: Table, actions: int, listener: socket.socket) -> None:
        self.page, self.table, self.actions, self._listener = page, table, actions, listener
        self.port, self._token = listener.getsockname()[1], secrets.token_urlsafe(16)
        self._port = "" if self.port == HTTP else f":{self.port}"  # browsers leave it out
        self._hosts = {f"{name}{self._port}" for name in (LOOPBACK, "localhost")}
        self._serving: Any = None
        self._matches: OrderedDict[str, Match] = OrderedDict()

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://{LOOPBACK}{self._port}/{self._token}/"

    def run(self) -> None:
        """Serve until a signal comes. What is ignored on entry stays ignored.

        Raises:
            KeyboardInterrupt: after Ctrl-C.
            SystemExit: after SIGTERM or SIGHUP, with the status that shells have for it.
        """
        heard: list[int] = []

        class Heard(uvicorn.Server):
            @contextlib.contextmanager
            def capture_signals(self):
                before = {}
                if threading.current_thread() is threading.main_thread():
                    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
                    before = {number: signal.signal(number, self.handle_exit) for number in heeded}
                try:
                    yield
                finally:
                    for number, handler in before.items():
                        signal.signal(number, handler)

            def handle_exit(self, sig, frame):
                heard.append(sig)
                super().handle_exit(sig, frame)

        self._serving = Heard(
            uvicorn.Config(
                self.application(),
                log_level="error",
                access_log=False,
                lifespan="off",
                server_header=False,
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )
        self._serving.run(sockets=[self._listener])
        if heard and heard[0] == signal.SIGINT:
            raise KeyboardInterrupt
        if heard:
            sys.exit(SIGNALS[heard[0]])

    def stop(self) -> None:
        """Ask `run`, in another thread, to come to its end."""
        if self._serving is not None:
            self._serving.should_exit = True

    def application(self) -> Starlette:
        """The ASGI application. Games are played in its one thread, one question after the other."""

        async def answer(request: Request) -> Response:
            try:
                self._check(request)
                made: Response = await self._answer(request)
            except Refused as refused:
                made = PlainTextResponse(str(refused), refused.status)
            made.headers.update(HEADERS)
            return made

        return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])

    def _check(self, request):
        """Refuse whoever does not know the address, or asks from a page of somebody else's."""
        token, _, _ = request.path_params["path"].partition("/")
        if request.headers.get("host") not in self._hosts or not secrets.compare_digest(
            token.encode(), self._token.encode()
        ):
            raise Refused(404, "There is nothing here.")
        origin = request.headers.get("origin")
        if request.method == "POST" and origin not in {f"http://{host}" for host in self._hosts}:
            raise Refused(403, "Only the page of this address may ask.")

    async def _answer(self, request):
        asked = (request.method, request.path_params["path"].partition("/")[2])
        if asked == ("GET", ""):
            return HTMLResponse(self.page)
        if asked not in (("POST", "start"), ("POST", "step")):
            raise Refused(404, "There is nothing here.")
        question = await _json(request)
        return JSONResponse(self.start(question) if asked[1] == "start" else self.step(question))

    def start(self, question: dict[str, Any]) -> dict[str, Any]:
        """Begin a match: `{"seed", "players"}` -> `{"match", "frames"}`."""
        seed, players = _whole(question, "seed", 2**31), question.get("players")
        if players not in ([PLAYERS[0]], [PLAYERS[1]], [*PLAYERS], [*PLAYERS[::-1]]):
            raise Refused(400, f"players: a list of {' and '.join(PLAYERS)}, or of one of them.")
        while len(self._matches) >= MATCHES:
            self._matches.popitem(last=False)[1].close()
        name = secrets.token_urlsafe(8)
        self._matches[name] = match = Match(self.table, seed, players)
        return {"match": name, "frames": match.frames()}

    def step(self, question: dict[str, Any]) -> dict[str, Any]:
        """Play one step: `{"match", "person", "epsilon"}` -> `{"frames"}`."""
        name, person, epsilon = question.get("match"), _whole(question, "person", self.actions), question.get("epsilon")
        if not isinstance(name, str) or name not in self._matches:
            raise Refused(410, "This game is over for want of room: too many pages play at once. Begin a new one.")
        if not isinstance(epsilon, (int, float)) or isinstance(epsilon, bool) or not 0 <= epsilon <= 1:
            raise Refused(400, "epsilon: a number from 0 to 1.")
        self._matches.move_to_end(name)
        self._matches[name].step(person, epsilon)
        return {"frames": self._matches[name].frames()}


def scripts() -> Sequence[str]:
    """The scripts of a page whose games are played here."""
    return [*map(part, SCRIPTS), START]


def _whole(question, key, limit):
    """A whole number from 0 to below a limit, of a question."""
    value = question.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < limit:
        raise Refused(400, f"{key}: a whole number from 0 to {limit - 1}.")
    return value


async def _json(request):
    """The JSON object that a request brings."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_QUESTION:
            raise Refused(413, "The question is too long.")
    try:
        question = json.loads(bytes(body))
    except (ValueError, RecursionError):
        question = None
    if not isinstance(question, dict):
        raise Refused(400, "The question is no JSON object.")
    return question
