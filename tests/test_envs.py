"""What all environments of the project have in common: the end, the time limit, and many games at once."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import catch_dqn
import cave_game
from cartpole_dqn.experiment import EXPERIMENTS as CARTPOLE
from catch_dqn.envs import CatchBallVectorEnv, CatchVectorEnv
from catch_dqn.experiment import EXPERIMENTS as BALLS
from cave_game.experiment import EXPERIMENTS as CAVE
from shared.commands.play import PlaySettings

ROOT = Path(__file__).parent.parent
REGISTERED = {"catch_dqn/Catch-v0": None, "catch_dqn/CatchBall8-v0": 500, "catch_dqn/CatchBall16-v0": 500}
REGISTERED |= {"cave_game/Cave-v0": 2000, "cave_game/Cave2017-v0": 10_000}
IDS = pytest.mark.parametrize("env_id", REGISTERED)


def test_every_environment_is_looked_at():
    packages = catch_dqn.__name__, cave_game.__name__
    assert {spec.id for spec in gymnasium.registry.values() if spec.namespace in packages} == set(REGISTERED)


@IDS
def test_after_the_end_nothing_moves_and_one_warning_says_so(env_id):
    env = gymnasium.make(env_id, max_episode_steps=-1, disable_env_checker=True)
    for _ in range(2):
        env.reset(seed=0)
        terminated = False
        while not terminated:
            observation, _, terminated, _, info = env.step(1)
        state, chance = env.unwrapped.state, env.unwrapped.np_random.bit_generator.state
        with pytest.warns(UserWarning, match=r"call reset\(\)") as warned:
            outcomes = [env.step(action) for action in (0, 1, 1)]
        assert len(warned) == 1
        for seen, *outcome, same_info in outcomes:
            np.testing.assert_array_equal(seen, observation)
            assert outcome == [0.0, True, False]
            assert same_info.keys() == info.keys()
        assert env.unwrapped.state is state
        assert env.unwrapped.np_random.bit_generator.state == chance


@IDS
def test_nothing_can_be_done_before_the_first_reset(env_id):
    games = gymnasium.make(env_id, render_mode="ansi").unwrapped, gymnasium.make_vec(env_id, 2, render_mode="ansi")
    for env in games:
        for do in (env.render, lambda env=env: env.step(env.action_space.sample())):
            with pytest.raises(gymnasium.error.ResetNeeded, match=r"call reset\(\) before (render|step)\(\)"):
                do()


def test_rendering_without_a_mode_says_which_there_are():
    env = gymnasium.make("catch_dqn/Catch-v0").unwrapped
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="'ansi', 'rgb_array', 'human'"):
        assert env.render() is None


@IDS
def test_the_time_limit_is_gymnasiums_own(env_id):
    assert gymnasium.spec(env_id).max_episode_steps == REGISTERED[env_id]
    env = gymnasium.wrappers.TimeAwareObservation(gymnasium.make(env_id, max_episode_steps=3), flatten=False)
    env.reset(seed=0)
    seen, truncated = zip(*(env.step(0)[::3] for _ in range(3)), strict=True)
    assert [observation["time"].item() for observation in seen] == [1, 2, 3]
    assert truncated == (False, False, True)
    if REGISTERED[env_id]:
        gymnasium.wrappers.TimeAwareObservation(gymnasium.make(env_id), flatten=False)
    assert gymnasium.make(env_id, max_episode_steps=-1).spec.max_episode_steps is None


@pytest.mark.parametrize("experiment", [BALLS["catch"], BALLS["ball8"], CAVE["cave"]])
def test_the_settings_choose_the_time_limit_and_whoever_watches_may_choose_another(experiment):
    settings = experiment.presets["tutorial"]
    for limit in (7,) if experiment is CAVE["cave"] else (7, None):
        env = experiment.env(dataclasses.replace(settings, time_limit=limit))
        assert env.spec.max_episode_steps == limit
    assert experiment.env(settings, **PlaySettings(time_limit=700).env_options).spec.max_episode_steps == 700
    assert experiment.env(settings, **PlaySettings().env_options).spec.max_episode_steps == settings.time_limit


def test_cartpole_is_trained_with_t5s_limit_and_scored_with_gymnasiums():
    variant = CARTPOLE["tabular"]
    settings = variant.presets["tutorial"]
    assert variant.loop(settings).env.spec.max_episode_steps == settings.time_limit == 200
    assert variant.env(settings).spec.max_episode_steps == 500


# -- many games at once ---------------------------------------------------------------------------------------------


@IDS
@pytest.mark.parametrize("options", [{}, {"max_episode_steps": 7}])
def test_games_side_by_side_are_those_that_one_environment_each_plays(env_id, options):
    games, rng = 5, np.random.default_rng(0)
    ours = gymnasium.make_vec(env_id, games, render_mode="ansi", **options)
    theirs = gymnasium.make_vec(env_id, games, "sync", render_mode="ansi", **options)
    assert ours.metadata["autoreset_mode"] is theirs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    for name in ("observation_space", "action_space", "single_observation_space", "single_action_space"):
        assert getattr(ours, name) == getattr(theirs, name)
    ends = 0
    for seed in (3, None, [9, 8, 7, None, 5]):
        same(ours.reset(seed=seed), theirs.reset(seed=seed))
        for _ in range(100):
            actions = rng.integers(ours.single_action_space.n, size=games)
            outcome = ours.step(actions)
            same(outcome, theirs.step(actions))
            assert outcome[0] in ours.observation_space
            ends += (outcome[2] | outcome[3]).sum()
        assert ours.render() == theirs.render()
    assert ends > 10


def same(ours, theirs):
    """Whether two environments returned the same, arrays and infos."""
    for mine, other in zip(ours, theirs, strict=True):
        if isinstance(mine, dict):
            assert mine.keys() == other.keys()
            same(mine.values(), other.values())
        else:
            assert mine.dtype == other.dtype
            np.testing.assert_array_equal(mine, other)


def test_what_was_returned_does_not_change_any_more():
    envs = CatchVectorEnv(num_envs=3)
    state = envs.game.reset(np, np.zeros((3, 2), np.float32))
    envs.reset(seed=0, options={"state": state})
    outcomes = [envs.step(np.array([2, 1, 0])) for _ in range(12)]
    kept = [[array.copy() for array in outcome[:4]] for outcome in outcomes]
    for _ in range(12):
        envs.step(np.array([0, 2, 1]))
    for outcome, copies in zip(outcomes, kept, strict=True):
        same(outcome[:4], copies)
    assert state.row.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_envs": 0}, "num_envs=0"),
        ({"max_episode_steps": 0}, "max_episode_steps=0: choose numbers from 1 on"),
        ({"render_mode": "human"}, r"render_mode='human': choose one of \['ansi', 'rgb_array'\]"),
    ],
)
def test_impossible_vectors_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        CatchBallVectorEnv(size=8, **options)


@pytest.mark.parametrize("actions", [[0, 1], [0, 1, 3], [0, 1, -1], [0.0, 1.0, 2.0]])
def test_actions_that_there_are_not_are_refused(actions):
    envs = CatchVectorEnv(num_envs=3)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="choose 3 whole numbers from 0 to 2"):
        envs.step(np.array(actions))
    with pytest.raises(ValueError, match="give one number, or one for each of the 3 games"):
        envs.reset(seed=[1, 2])


def test_every_way_to_make_many_games_works_for_a_stranger_and_without_keras(tmp_path):
    program = """
import sys, gymnasium
for mode in ("vector_entry_point", "sync", "async"):
    envs = gymnasium.make_vec("catch_dqn:catch_dqn/CatchBall8-v0", num_envs=4, vectorization_mode=mode)
    total = envs.reset(seed=1)[0].sum()
    for t in range(30):
        observations, rewards, *_ = envs.step([t % 3] * 4)
        total += observations.sum() + rewards.sum()
    print(total)
    envs.close()
assert not {"keras", "tensorflow"} & sys.modules.keys()
"""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ended.stderr == ""
    assert len(ended.stdout.split()) == 3
    assert len(set(ended.stdout.split())) == 1
