"""T1 in one file does what the rest of the project does."""

import keras
import numpy as np
import pytest

from catch_dqn import tutorial
from catch_dqn.game import Catch, State
from shared.dqn.agent import Agent
from shared.errors import UserError


def test_it_can_be_typed_along():
    with open(tutorial.__file__) as file:
        assert len(file.readlines()) <= 150


def test_the_game_is_catch():
    game, rules, rng = tutorial.Game(seed=3), Catch(), np.random.default_rng(0)
    starts = set()
    for _ in range(200):
        game.reset()
        starts.add((game.paddle, game.column))
        state = State(*(np.array([x], np.int32) for x in (game.paddle, game.column, game.row)))
        while game.won is None:
            np.testing.assert_array_equal(game.state, rules.observe(np, state)[0])
            action = int(rng.integers(3))
            state, reward, over = rules.step(np, state, np.array([action], np.int32), None)
            assert game.move(action) == reward[0]
            assert (game.won is not None) == over[0]
    assert starts <= set(rules.start_positions)
    assert len(starts) > 55


def test_a_replay_is_one_of_the_agent_of_the_other_games(catch, tmp_path):
    """The whole memory is the batch, so that nothing is left to chance."""
    game = tutorial.Game(seed=1)
    first = tutorial.Agent(game, explore=1.0, optimizer=keras.optimizers.SGD(0.01), loss="mse", seed=2)
    second = Agent(
        catch.env(catch.presets["tutorial"]), 1.0, 0.9, 100, 18, batch_size=18,
        optimizer=keras.optimizers.SGD(0.01), loss=keras.losses.MeanSquaredError(), seed=0,
    )  # fmt: skip
    second.model.set_weights(first.model.get_weights())
    for _ in range(2):
        state = game.reset()
        while game.won is None:
            action = first.choose_action()
            reward = game.move(action)
            first.remember(state, action, reward, game.state, game.won is not None)
            second.remember(state, action, reward, game.won is not None, game.state)
            state = game.state
    second.rng = type("InOrder", (), {"random": lambda *_, **__: (np.arange(18) + 0.5).astype(np.float32) / 18})()
    assert first.replay(18) == pytest.approx(second.replay(), rel=1e-5)
    for ours, theirs in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    first.save(tmp_path / "weights.h5")
    other = tutorial.Agent(game, seed=5)
    other.load(tmp_path / "weights.h5")
    np.testing.assert_array_equal(other.model(game.state[None]), first.model(game.state[None]))


def test_its_loop_prints_and_learns(capsys):
    game = tutorial.Game()
    agent = tutorial.Agent(game, hidden_size=32, optimizer=keras.optimizers.Adam(2e-3))
    tutorial.train(game, agent, epochs=301, batch_size=32, every=100)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["0/301", "100/301", "200/301", "300/301"]
    assert "win rate 0%" in lines[0]


def test_weights_that_are_there_are_not_replaced_by_the_program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "game_weights.h5").write_text("mine")
    with pytest.raises(UserError, match=r"game_weights\.h5: is there already; move it away"):
        tutorial.main([])


def test_it_is_imported_and_typed_as_in_the_article(tmp_path, monkeypatch):
    import catch_dqn

    assert {"Game", "Agent"} <= set(dir(catch_dqn))
    game = catch_dqn.Game()
    agent = catch_dqn.Agent(game, optimizer="sgd", loss="mse")
    for _ in range(2):
        agent.remember(game.reset(), agent.choose_action(), game.move(0), game.state, False)
        assert agent.replay(batch_size=2) >= 0
    with pytest.raises(ImportError, match="cannot import name 'Gmae' from 'catch_dqn'"):
        from catch_dqn import Gmae  # noqa: F401


def test_another_network_is_one_line():
    game = tutorial.Game()
    layers = [keras.Input((100,)), keras.layers.Reshape((10, 10, 1)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()]
    agent = tutorial.Agent(game, model=keras.Sequential([*layers, keras.layers.Dense(3)]))
    agent.remember(game.state, 0, 1, game.state, True)
    before = agent.model(game.state[None])[0, 0]
    agent.replay(1)
    assert abs(1 - agent.model(game.state[None])[0, 0]) < abs(1 - before)


@pytest.mark.parametrize(("action", "verdict"), [(1, "winner!"), (0, "loser!")])
def test_the_last_round_is_shown(capsys, action, verdict):
    game = tutorial.Game()
    agent = type("Always", (), {"choose_action": lambda self: action})()
    game.reset = lambda: vars(game).update(paddle=4, column=4, row=0, won=None)
    tutorial.play(game, agent)
    *frames, last = capsys.readouterr().out.rstrip("\n").split("\n\n")
    assert len(frames) == 10
    assert last == verdict
    assert frames[0].splitlines()[0] == "....#....."
