"""Sessions in a terminal that are ended in every way there is: each has to leave the terminal as it found it."""

import contextlib
import dataclasses
import random
import signal
import time
from collections.abc import Callable

from pseudo_terminal import ENTERED, LEFT, PATIENCE, PseudoTerminal

QUICK = {"BLESSED_QUERY_TIMEOUT_SECONDS": "0.001"}
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP")
KEYS = ("\x1b[D", "\x1b[C", " ", "+", "-", "x", "\x1b", "\r", "\x1b[A", "\u00e4", "\x00")
ENDS = ("q", "\x03", "\x1c", "\x1a", *SIGNALS)
PROGRAMS = (
    ("-m", "catch_dqn.play", "--human"),
    ("-m", "catch_dqn.play", "--human", "--game", "ball16"),
    ("-m", "cave_game.play", "--human"),
    ("-m", "catch_dqn.play", "--episodes", "1"),
)


@dataclasses.dataclass
class Report:
    """What became of the sessions."""

    sessions: int = 0
    stops: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.sessions} sessions, {self.stops} times stopped and gone on", f"faults: {len(self.faults)}"]
        return "\n".join([*lines, *self.faults])


def terminal(sessions: int, seed: int, say: Callable[[str], None] = lambda text: None) -> Report:
    """Play so many times: keys, windows of any size, and in the end a key, a signal or several at once."""
    report = Report()
    for number in range(sessions):
        rng = random.Random(f"{seed} {number}")
        program = rng.choice(PROGRAMS)
        try:
            _one(report, program, rng)
        except Exception as error:
            report.faults.append(f"session {number}, {' '.join(program)}: {type(error).__name__}: {error!s:.300}")
        report.sessions += 1
        if number % 20 == 19:
            say(str(report))
    return report


def _one(report, program, rng):
    with PseudoTerminal(*program, rows=rng.randint(2, 60), columns=rng.randint(5, 120), **QUICK) as screen:
        if rng.random() < 0.9:
            screen.read_until(ENTERED)
            for _ in range(rng.randint(0, 20)):
                _disturb(screen, rng)
        time.sleep(rng.uniform(0, 0.05))
        for _ in range(rng.choice((1, 1, 2, 8))):
            end = rng.choice(ENDS)
            if end in SIGNALS:
                _send(screen, getattr(signal, end))
            else:
                screen.type(end)
                while screen.has_more():  # as a terminal does: what is typed can throw away what nobody has read
                    pass
        patience = time.monotonic() + PATIENCE
        while not (news := _news(screen)).startswith("ended"):
            if news == "stopped":
                report.stops += 1
                assert _is_restored(screen), "stopped, and the terminal is not restored"
                screen.go_on()
                _send(screen, signal.SIGTERM)  # lest it goes on for ever
            elif time.monotonic() > patience - PATIENCE + 2 and rng.random() < 0.01:
                _send(screen, signal.SIGTERM)  # a burst that ended in nothing but keys
            assert time.monotonic() < patience, "did not end"
        assert _is_restored(screen), f"not restored; the output ends in {screen.output[-200:]!r}"


def _disturb(screen, rng):
    """Something that a person may do meanwhile."""
    if rng.random() < 0.2:
        screen.resize(rng.randint(1, 80), rng.randint(1, 200))
    else:
        screen.type(rng.choice(KEYS))
    time.sleep(rng.uniform(0, 0.02))


def _send(screen, number):
    """Signal the program; the signal before may have ended it."""
    with contextlib.suppress(ProcessLookupError):
        screen.signal(number)


def _news(screen):
    """What the shell has just said, or "", once all is read that the program wrote before."""
    news = screen.said() or ""
    while news and screen.has_more():
        pass
    return news


def _is_restored(screen):
    """As it was found: also where the program ended before it took the screen."""
    if ENTERED not in screen.output:
        return LEFT not in screen.output
    return screen.is_restored()
