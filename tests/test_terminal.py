"""Frames in a terminal: what is drawn, at what pace, and that the terminal is as it was afterwards."""

import random
import signal
import time

import numpy as np
import pytest
from pseudo_terminal import ENTERED, HIDDEN, PATIENCE, PseudoTerminal

from shared.display.terminal import Screen
from shared.pace import Pace

# Signals that end a program, and Ctrl-Z, where there are such.
BURST = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP") if hasattr(signal, name)
]

# Shows a frame and repeats the keys that are typed, until `x` breaks it or `e` ends it.
ECHO = """
from shared.display.terminal import Screen
with Screen(fps=25) as screen:
    typed = []
    while "e" not in typed:
        screen.show(["frame", "  two"], caption=["ready", f"typed {' '.join(typed)}."])
        typed += screen.wait()
        if "x" in typed:
            raise RuntimeError("broken")
print("after")
"""

# Takes the terminal and gives it back, 40 times. What is left of a burst of signals does nothing outside the screen.
ROUNDS = 40
TAKE_AND_GIVE_BACK = f"""
import signal, sys
from shared.display.terminal import Screen
for number in {list(map(int, BURST))}:
    signal.signal(number, lambda *_: None)
for number in range({ROUNDS}):
    print(f"round {{number}}.", flush=True)
    try:
        with Screen(fps=1000) as screen:
            for frame in range(10):
                screen.show(["frame"])
                screen.wait()
    except (KeyboardInterrupt, SystemExit):
        pass
    print(f"left {{number}}.", flush=True)
    sys.stdin.readline()
"""

PICTURE = """
import numpy as np
from shared.display.terminal import Screen
red, blue = [250, 0, 0], [0, 0, 250]
with Screen(fps=25, half_blocks={half_blocks}) as screen:
    screen.show(["r#", "##", "#r"], np.array([[red, blue], [blue, blue], [blue, red]], np.uint8), ["done"])
    screen.wait()
"""
RED, BLUE = "2;250;0;0m", "2;0;0;250m"


def run(code, **options):
    """A program on a terminal of its own."""
    return PseudoTerminal("-c", code, **options)


def drawn(code, **options):
    """Everything that a program wrote to its terminal, and what was last on the screen."""
    with run(code, **options) as terminal:
        assert terminal.end() == 0
        return terminal.output, terminal.screen()


class TestLeaving:
    @pytest.mark.parametrize(
        ("way", "status"),
        [
            ("end", 0),
            ("error", 1),
            ("ctrl-c", -signal.SIGINT),
            ("ctrl-\\", 131),
            ("SIGTERM", 143),
            ("SIGHUP", 129),
        ],
    )
    def test_restores_the_terminal(self, way, status):
        with run(ECHO) as terminal:
            terminal.read_until("ready")
            assert not terminal.is_restored()
            if way.startswith("SIG"):
                terminal.signal(getattr(signal, way))
            else:
                terminal.type({"end": "e", "error": "x", "ctrl-c": "\x03", "ctrl-\\": "\x1c"}[way])
            assert terminal.end() == status
            assert terminal.is_restored()
            assert ("after" in terminal.output) == (way == "end")

    def test_a_burst_of_signals_restores_the_terminal_at_any_moment(self):
        rng = random.Random(0)
        with run(TAKE_AND_GIVE_BACK, BLESSED_QUERY_TIMEOUT_SECONDS="0.001") as terminal:
            for number in range(ROUNDS):
                begin = terminal.read_until(f"round {number}.")
                time.sleep(rng.uniform(0, 0.02))  # while it is taken, is used, is given back
                for _ in range(rng.randint(2, 8)):
                    terminal.signal(rng.choice(BURST))
                patience = time.monotonic() + PATIENCE
                while f"left {number}." not in terminal.output[begin:]:
                    news = terminal.said()
                    assert news in (None, "stopped")
                    assert time.monotonic() < patience
                    if news == "stopped":
                        assert terminal.is_restored()
                        terminal.go_on()
                assert terminal.is_restored()
                terminal.type("\n")
            assert terminal.end() == 0

    def test_what_was_ignored_stays_ignored(self):
        names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP")
        with run(ECHO, ignored=[getattr(signal, name, 0) for name in names]) as terminal:
            terminal.read_until("typed .")
            for name in names:
                terminal.signal(getattr(signal, name))
            terminal.type("\x03\x1a\x1ce")
            assert terminal.end() == 0
            assert terminal.is_restored()
            assert "after" in terminal.output

    def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(self):
        with run(ECHO) as terminal:
            first = terminal.read_until("typed .")
            terminal.type("\x1a")
            assert terminal.news() == "stopped"
            assert terminal.is_restored()
            terminal.go_on()
            again = terminal.read_until(ENTERED, first)
            terminal.read_until(HIDDEN, again)
            terminal.read_until("typed .", again)
            assert terminal.screen()[:2] == ["frame", "  two"]
            terminal.type("e")
            assert terminal.end() == 0
            assert terminal.is_restored()

    def test_told_to_end_while_it_is_stopped_it_does_not_take_the_terminal_again(self):
        with run(ECHO) as terminal:
            terminal.read_until("typed .")
            terminal.type("\x1a")
            assert terminal.news() == "stopped"
            terminal.signal(signal.SIGTERM)
            terminal.signal(signal.SIGCONT)  # in the background: the shell has the terminal
            terminal.go_on()
            assert terminal.end() == 143
            assert terminal.is_restored()
            assert terminal.output.count(ENTERED) == 1

    def test_keys_for_the_game_do_not_reach_the_shell(self):
        keys = "hhhlll\x1b[D\n"
        with run(
            "import array, fcntl, termios, time\n"
            "from shared.display.terminal import Screen\n"
            "waiting = array.array('i', [0])  # bytes\n"
            "with Screen(25) as screen:\n"
            "    screen.show(['ready'])\n"
            f"    while waiting[0] < {len(keys)}:\n"
            "        time.sleep(0.01)\n"
            "        fcntl.ioctl(0, termios.FIONREAD, waiting)\n"
        ) as terminal:
            terminal.read_until("ready")
            terminal.type(keys)
            assert terminal.end() == 0
            terminal.type("ls\n")
            assert terminal.typed_ahead() == "ls\n"


class TestDrawing:
    def test_keys_have_names_and_come_in_order(self):
        with run(ECHO) as terminal:
            terminal.read_until("ready")
            terminal.type("h\x1b[D\x1b[C q")
            terminal.read_until("typed h KEY_LEFT KEY_RIGHT   q.")

    def test_a_terminal_that_answers_nothing_is_not_waited_for_a_second(self):
        output, _ = drawn(
            "import select\n"
            "from shared.display.terminal import Screen\n"
            "waited, look = [], select.select\n"
            "def noted(*files_and_timeout):\n"
            "    found = look(*files_and_timeout)\n"
            "    if not any(found):\n"
            "        waited.append(files_and_timeout[3])  # in vain\n"
            "    return found\n"
            "select.select = noted\n"
            "with Screen(25) as screen:\n"
            "    screen.show(['frame'])\n"
            "print(f'waited {sum(waited)} s')\n"
        )
        assert 0 < float(output.split("waited ")[1].split()[0]) < 1.0

    def test_a_frame_leaves_nothing_of_the_last_one_or_of_a_stray_print(self):
        output, screen = drawn(
            "import sys\n"
            "from shared.display.terminal import Screen\n"
            "with Screen(100) as screen:\n"
            "    for frame in (['one', 'two', 'three', 'four'], ['one', '2'], ['one', '2', 'III']):\n"
            "        screen.show(frame)\n"
            "        print('warning: stray')\n"
            "        screen.wait()\n"
            "    screen.show(frame)\n"
        )
        assert output.count("stray") == 3
        assert output.count("\x1b[2J") == 1  # the window is cleared once: that would flicker
        assert screen == ["one", "2", "III"]

    def test_square_cells_are_two_spaces_with_a_background(self):
        output, screen = drawn(PICTURE.format(half_blocks=False), COLORTERM="truecolor")
        assert f"\x1b[48;{RED}  \x1b[48;{BLUE}  \x1b" in output
        assert output.count(f"\x1b[48;{BLUE}    \x1b") == 1  # a run of one colour says so once
        assert screen == ["", "", "", "done"]

    def test_half_blocks_hold_two_rows_in_one(self):
        output, screen = drawn(PICTURE.format(half_blocks=True), COLORTERM="truecolor")
        assert f"\x1b[38;{RED}\x1b[48;{BLUE}▀\x1b[38;{BLUE}\x1b[48;{BLUE}▀" in output
        assert f"\x1b[38;{BLUE}\x1b[48;2;0;0;0m▀\x1b[38;{RED}\x1b[48;2;0;0;0m▀" in output
        assert screen == ["▀▀", "▀▀", "done"]

    @pytest.mark.parametrize("half_blocks", [False, True])
    def test_no_color_draws_text_and_still_moves_the_cursor(self, half_blocks):
        output, screen = drawn(PICTURE.format(half_blocks=half_blocks), NO_COLOR="1", COLORTERM="truecolor")
        assert screen == ["r#", "##", "#r", "done"]
        assert "\x1b[38;" not in output
        assert "\x1b[48;" not in output
        assert ENTERED in output

    def test_half_blocks_give_way_to_text_in_the_c_locale(self):
        output, screen = drawn(PICTURE.format(half_blocks=True), LC_ALL="C")
        assert screen == ["r#", "##", "#r", "done"]
        assert output.isascii()

    def test_square_cells_need_no_glyphs(self):
        output, _ = drawn(PICTURE.format(half_blocks=False), LC_ALL="C", COLORTERM="truecolor")
        assert f"\x1b[48;{RED}  " in output
        assert output.isascii()


class TestWindow:
    def test_too_small_says_so_and_goes_on_when_large_enough(self):
        with run(ECHO) as terminal:
            end = terminal.read_until("typed .")
            terminal.resize(3, 20)
            end = terminal.read_until("has 20 x 3", end)
            assert terminal.screen() == ["window too small", "needs 7 x 4", "has 20 x 3"]
            terminal.resize(24, 80)
            terminal.read_until("typed .", end)
            assert terminal.screen()[:2] == ["frame", "  two"]
            terminal.type("e")
            assert terminal.end() == 0

    def test_five_columns_and_two_rows(self):
        with run(ECHO, rows=2, columns=5) as terminal:
            terminal.read_until("needs")
            assert terminal.screen() == ["windo", "needs"]
            terminal.type("e")
            assert terminal.end() == 0
            assert terminal.is_restored()

    def test_a_window_that_does_not_know_its_size(self):
        with run(ECHO, rows=0, columns=0) as terminal:
            terminal.read_until("typed .")
            assert terminal.screen()[:2] == ["frame", "  two"]
            terminal.type("e")
            assert terminal.end() == 0


class TestWithoutTerminal:
    def test_frames_are_printed_without_escape_codes_or_waiting(self, capsys, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setattr("shared.display.terminal.time.sleep", lambda seconds: pytest.fail("it waits"))
        with Screen(fps=1) as screen:
            assert not screen.interactive
            for number in range(5):
                assert screen.show(["..", "=="], np.zeros((2, 2, 3), np.uint8), [f"frame {number}"])
                assert screen.wait() == []
            assert screen.key() is None
        assert capsys.readouterr().out == "".join(f"..\n==\nframe {number}\n\n" for number in range(5))

    @pytest.mark.parametrize("term", ["dumb", ""])
    def test_a_terminal_that_cannot_move_its_cursor_gets_plain_frames_at_the_same_pace(self, term):
        began = time.monotonic()
        output, _ = drawn(
            "from shared.display.terminal import Screen\n"
            "with Screen(20) as screen:\n"
            "    for number in range(10):\n"
            "        screen.show([f'frame {number}'])\n"
            "        screen.wait()\n",
            TERM=term,
        )
        assert time.monotonic() - began > 10 / 20
        assert "\x1b" not in output
        assert output.split() == [word for number in range(10) for word in ("frame", str(number))]

    def test_keys_that_come_from_a_file_are_not_waited_for(self):
        output, _ = drawn(
            "import os, sys; os.dup2(os.open(os.devnull, os.O_RDONLY), 0)\n"
            "from shared.display.terminal import Screen\n"
            "with Screen(20) as screen:\n"
            "    screen.show(['frame'])\n"
            "    assert screen.wait() == [] and screen.key() is None\n"
        )
        assert output.split() == ["frame"]


class TestPace:
    @pytest.fixture
    def clock(self, monkeypatch):
        class Clock:
            now = 100.0

        monkeypatch.setattr("shared.pace.time.monotonic", lambda: Clock.now)
        return Clock

    def test_a_late_frame_is_made_up_for(self, clock):
        pace = Pace(fps=10)
        clock.now += 0.13
        assert pace.left() == 0.0
        pace.advance()
        assert pace.left() == pytest.approx(0.07)

    def test_after_a_stall_frames_are_not_hurried(self, clock):
        pace = Pace(fps=10)
        clock.now += 60.0
        pace.advance()
        assert pace.left() == pytest.approx(0.1)

    def test_the_screen_keeps_it(self):
        output, _ = drawn(
            "import time\n"
            "from shared.display.terminal import Screen\n"
            "with Screen(50) as screen:\n"
            "    asked, listen = [], screen._terminal.inkey\n"
            "    def noted(timeout, **options):\n"
            "        asked.append(timeout)\n"
            "        return listen(timeout, **options)\n"
            "    screen._terminal.inkey = noted\n"
            "    began = time.monotonic()\n"
            "    for number in range(25):\n"
            "        screen.show([str(number)])\n"
            "        screen.wait()\n"
            "    took = time.monotonic() - began\n"
            "print(f'took {took} of {sum(asked)}.')\n"
        )
        took, asked = output.split("took ")[1].split(".\r")[0].split(" of ")
        assert float(asked) <= 0.5 <= float(took)  # seconds; on a busy machine all takes longer

    @pytest.mark.parametrize("fps", [0, -1, float("nan")])
    def test_refuses_no_pace(self, fps):
        with pytest.raises(ValueError, match="fps"):
            Pace(fps)
