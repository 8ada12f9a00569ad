"""Watching an agent, playing oneself, and recording: the `play` command and what it is made of."""

import signal

import gymnasium
import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image, ImageSequence
from pseudo_terminal import PseudoTerminal

from catch_dqn import play
from catch_dqn.envs import BACKGROUND, OBJECT, PADDLE
from catch_dqn.experiment import EXPERIMENTS
from catch_dqn.game import LEFT, RIGHT, STAY
from catch_dqn.stage import STAGES
from shared import storage
from shared.display.playback import Episode, Keyboard, play_episodes, record
from shared.display.terminal import Screen
from shared.errors import UserError

STAGE = STAGES["catch"]


def follow(observation):
    """Perfect play: the paddle goes under the object."""
    grid = observation.reshape(10, 10)
    paddle = int(np.flatnonzero(grid[9]).mean())
    column = int(grid[:9].any(axis=0).argmax())
    return STAY + int(np.sign(column - paddle))


def follow_ball(observation):
    """Good play on 8x8: the bar goes under the lowest ball."""
    grid = observation[:, :, 0]
    rows, columns = np.nonzero(grid[:7])
    if not len(rows):
        return 0
    bar = np.flatnonzero(grid[7])
    return {-1: 1, 0: 0, 1: 2}[int(np.sign(columns[rows.argmax()] - bar[len(bar) // 2]))]


def flee(observation):
    """The worst play: to the wall that is farther from the object."""
    return LEFT if observation.reshape(10, 10)[:9].any(axis=0).argmax() > 4 else RIGHT


@pytest.fixture
def env():
    env = gymnasium.make("catch_dqn/Catch-v0", render_mode="rgb_array")
    yield env
    env.close()


@pytest.fixture
def weights(catch, tmp_path):
    """An untrained agent's weights file."""
    path = tmp_path / "game_weights.h5"
    storage.save_weights(catch.model(catch.presets["tutorial"]), path)
    return path


def human(*arguments, **options):
    """`play --human` on a terminal."""
    return PseudoTerminal("-m", "catch_dqn.play", "--human", *arguments, **options)


# The same, where a frame lasts until a key is pressed: what the keys do depends on no clock.
FRAME_BY_FRAME = """
import sys
from catch_dqn import play
from shared.display.terminal import Screen
Screen.wait = lambda screen: [screen.key()]
sys.exit(play.main(["--human", *sys.argv[1:]]))
"""


def frame_by_frame(seed):
    """One game on a terminal that goes on with each key; when it is over, one more ends it."""
    return PseudoTerminal("-c", FRAME_BY_FRAME, "--episodes", "1", "--fps", "1", "--seed", str(seed))


def seed_with_column(wanted):
    """A seed whose first game drops its object from a wanted column."""
    env = gymnasium.make("catch_dqn/Catch-v0")
    for seed in range(100):
        env.reset(seed=seed)
        if env.unwrapped.state.column[0] in wanted:
            return seed
    raise AssertionError("no such seed")


class TestPerson:
    @pytest.mark.parametrize("key", ["\x1b[D", "h"])
    @pytest.mark.parametrize(("columns", "verdict", "tally"), [((0, 1), "winner!", 1), ((7, 8), "loser!", 0)])
    def test_keys_move_the_paddle(self, key, columns, verdict, tally):
        with frame_by_frame(seed_with_column(columns)) as terminal:
            terminal.read_until("game 1 of 1")
            terminal.type(10 * key)
            terminal.read_until(verdict)
            assert terminal.end() == 0
            assert terminal.is_restored()
            assert terminal.output.endswith(f"won {tally} of 1\r\n")

    @pytest.mark.parametrize("key", ["\x1b[C", "l"])
    def test_and_the_other_way(self, key):
        with frame_by_frame(seed_with_column((7, 8))) as terminal:
            terminal.read_until("game 1 of 1")
            terminal.type(10 * key)
            terminal.read_until("winner!")
            assert terminal.end() == 0

    def test_a_frame_shows_the_grid(self):
        with human("--seed", "1", NO_COLOR="1") as terminal:
            terminal.read_until("q quits")
            env = gymnasium.make("catch_dqn/Catch-v0")
            env.reset(seed=1)
            assert terminal.screen()[:10] == env.unwrapped.render_text(env.unwrapped.state).split("\n")
            terminal.type("\x03")
            assert terminal.end() == 130

    @pytest.mark.parametrize(
        ("way", "status"), [("q", 0), ("\x03", 130), ("\x1c", 131), ("SIGTERM", 143), ("SIGHUP", 129)]
    )
    def test_leaving_restores_the_terminal(self, way, status):
        with human() as terminal:
            terminal.read_until("game 1 of 10")
            terminal.signal(getattr(signal, way)) if way.startswith("SIG") else terminal.type(way)
            assert terminal.end() == status
            assert terminal.is_restored()
            assert "Traceback" not in terminal.output
            assert ("no game was finished" in terminal.output) == (status == 0)

    def test_the_game_waits_while_the_window_is_too_small_to_see_it(self):
        with human("--episodes", "1", "--fps", "50", rows=5) as terminal:
            terminal.read_until("window too small")
            with pytest.raises(AssertionError, match="did not come"):
                terminal.read_until("won", patience=1.5)  # 75 frames; a game has 9
            terminal.resize(24, 80)
            terminal.read_until("of 1\r\n")
            assert terminal.end() == 0

    def test_last_key_of_a_frame_counts(self):
        person = Keyboard({"h": LEFT, "l": RIGHT}, idle=STAY)
        actions = []
        for person.keys in ([], ["x"], ["h"], ["h", "l"], ["l", "h", "x"]):
            actions.append(person(None))
        assert actions == [STAY, STAY, LEFT, RIGHT, LEFT]


class TestEpisodes:
    @pytest.mark.parametrize(("policy", "score", "verdict"), [(follow, 1.0, "winner!"), (flee, -1.0, "loser!")])
    def test_frames_and_results(self, env, capsys, policy, score, verdict):
        with Screen(fps=10) as screen:
            played = play_episodes(env, policy, screen, STAGE, episodes=3, seed=5)
        assert played == [Episode(score, 9)] * 3
        frames = capsys.readouterr().out.split("\n\n")
        assert sum("=" in frame for frame in frames) == 3 * 10
        assert "".join(frames).count(verdict) == 3
        assert STAGE.tally(played) == f"won {3 if score > 0 else 0} of 3"

    def test_the_seed_decides_the_games(self, env, capsys):
        shown = []
        for seed in (1, 1, 2):
            with Screen(fps=10) as screen:
                play_episodes(env, follow, screen, STAGE, episodes=2, seed=seed)
            shown.append(capsys.readouterr().out)
        assert shown[0] == shown[1] != shown[2]
        first, second = (shown[0].split(f"game {number} of 2")[0].split("\n")[-12:] for number in (1, 2))
        assert first != second

    def test_the_terminal_picture_has_the_colours_of_the_cells(self, env):
        env.reset(seed=1)
        lines, picture = STAGE.view(env)
        colours = {".": BACKGROUND, "o": OBJECT, "=": PADDLE}
        np.testing.assert_array_equal(picture, [[colours[cell] for cell in line] for line in lines])


class TestBallGames:
    @pytest.fixture
    def env(self):
        env = gymnasium.make("catch_dqn/CatchBall8-v0", render_mode="rgb_array", max_episode_steps=50)
        yield env
        env.close()

    def test_the_score_so_far_is_shown(self, env, capsys):
        stage = STAGES["ball8"]
        with Screen(fps=10) as screen:
            (episode,) = play_episodes(env, follow_ball, screen, stage, episodes=1, seed=1)
        out = capsys.readouterr().out
        assert episode == Episode(9.0, 50)  # balls land at steps 7, 12, ... 47
        for score in range(9):
            assert f"score {score}\n" in out
        assert out.endswith("score 9 in 50 steps\n\n")
        assert stage.tally([episode, Episode(8.0, 50)]) == "mean score 8.5 over 2 games"

    def test_keys(self):
        person = STAGES["ball16"].keyboard()
        actions = []
        for person.keys in (["KEY_LEFT"], ["l"], []):
            actions.append(person(None))
        assert actions == [1, 2, 0]

    def test_every_game_has_a_stage(self):
        assert all(experiment.stage() for experiment in EXPERIMENTS.values())


class TestRecording:
    def test_gif(self, env, tmp_path):
        path = tmp_path / "games.gif"
        assert record(path, env, follow, episodes=3, fps=20, seed=1) == [Episode(1.0, 9)] * 3
        with Image.open(path) as gif:
            frames = [(frame.convert("RGB"), frame.info["duration"]) for frame in ImageSequence.Iterator(gif)]
            assert gif.info["loop"] == 0  # for ever
        assert len(frames) == 3 * 10
        assert [duration for _, duration in frames] == 3 * (9 * [50] + [1000])  # ms
        env.reset(seed=1)
        np.testing.assert_array_equal(np.asarray(frames[0][0]), env.render())
        assert path.stat().st_size < 20_000

    @pytest.mark.parametrize(("fps", "milliseconds"), [(10, 100), (30, 30), (60, 20), (1000, 20)])
    def test_gif_frame_times_are_ones_that_browsers_keep(self, env, tmp_path, fps, milliseconds):
        path = tmp_path / "games.gif"
        record(path, env, follow, episodes=1, fps=fps, seed=1)
        with Image.open(path) as gif:
            durations = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
        assert durations == 9 * [milliseconds] + [1000]  # the last picture of a game stands for a second at any pace

    def test_mp4(self, env, tmp_path):
        path = tmp_path / "games.mp4"
        assert record(path, env, follow, episodes=2, fps=10, seed=1) == [Episode(1.0, 9)] * 2
        frames = iio.imread(path, plugin="FFMPEG")
        assert frames.shape == (2 * (9 + 10), 240, 240, 3)
        assert iio.immeta(path, plugin="FFMPEG")["fps"] == 10
        env.reset(seed=1)
        assert np.abs(frames[0].astype(int) - env.render()).mean() < 3

    @pytest.mark.parametrize(("fps", "last"), [(0.5, 1), (1000, 1000)])
    def test_the_last_picture_of_a_video_stands_for_a_second_or_a_frame(self, env, tmp_path, fps, last):
        path = tmp_path / "games.mp4"
        record(path, env, follow, episodes=1, fps=fps, seed=1)
        assert iio.immeta(path, plugin="FFMPEG")["duration"] == pytest.approx((9 + last) / fps, rel=0.01)

    def test_mp4_of_pictures_with_odd_sides(self, tmp_path):
        class Odd(gymnasium.Env):
            action_space, observation_space = gymnasium.spaces.Discrete(2), gymnasium.spaces.Discrete(1)

            def reset(self, *, seed=None, options=None):
                return 0, {}

            def step(self, action):
                return 0, 1.0, False, True, {}

            def render(self):
                return np.full((33, 47, 3), 200, np.uint8)

        path = tmp_path / "odd.mp4"
        record(path, Odd(), lambda observation: 0, episodes=1, fps=5, seed=0)
        assert iio.imread(path, plugin="FFMPEG").shape == (1 + 5, 34, 48, 3)

    def test_a_failure_leaves_the_old_file(self, env, tmp_path):
        path = tmp_path / "games.gif"
        path.write_text("old")

        def broken(observation):
            raise RuntimeError("broken")

        with pytest.raises(RuntimeError, match="broken"):
            record(path, env, broken, episodes=1, fps=10, seed=1)
        assert path.read_text() == "old"
        assert [entry.name for entry in tmp_path.iterdir()] == ["games.gif"]

    @pytest.mark.parametrize("name", ["games.png", "games", "missing/games.gif"])
    def test_refuses_what_it_cannot_write(self, env, tmp_path, name):
        with pytest.raises(UserError, match="games"):
            record(tmp_path / name, env, follow, episodes=1, fps=10, seed=1)


class TestCommand:
    def test_piped_output_is_plain_frames_and_a_tally(self, weights, capsys):
        assert play.main(["--weights", str(weights), "--episodes", "4", "--seed", "3"]) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert sum("=" in frame for frame in out.split("\n\n")) == 4 * 10
        wins, losses = out.count("winner!"), out.count("loser!")
        assert wins + losses == 4
        assert out.startswith(f"agent: {weights}\n")
        assert out.endswith(f"won {wins} of 4\n")

    def test_records_both_kinds(self, weights, tmp_path, capsys):
        gif, mp4 = tmp_path / "a.gif", tmp_path / "a.MP4"
        arguments = ["--weights", str(weights), "--episodes", "2", "--gif", str(gif), "--mp4", str(mp4)]
        assert play.main(arguments) == 0
        assert gif.read_bytes().startswith(b"GIF89a")
        assert mp4.read_bytes()[4:8] == b"ftyp"
        out = capsys.readouterr().out
        assert f"recorded: {gif}" in out
        assert "=" not in out

    @pytest.mark.parametrize(
        ("arguments", "culprit"),
        [
            (["--human"], "--human"),
            (["--human", "--gif", "a.gif"], "--gif"),
            (["--human", "--weights", "a.h5"], "--weights"),
            (["--gif", "a.png"], "--gif"),
            (["--mp4", "a.gif"], "--mp4"),
            (["--episodes", "0"], "--episodes"),
            (["--fps", "0"], "--fps"),
            (["--fps", "nan"], "--fps"),
            (["--seed", "-1"], "--seed"),
            (["--speed", "1"], "--speed"),
        ],
    )
    def test_bad_arguments_are_named(self, arguments, culprit):
        with pytest.raises(UserError, match=f"^{culprit}"):
            play.main(arguments)
