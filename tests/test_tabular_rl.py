"""The tabular examples: published figures, closed forms, and what the commands print."""

import numpy as np
import pytest

from shared.errors import UserError
from tabular_rl import corridor, markov_chain, mdp

INF = np.inf


def test_markov_chain_walks_are_the_published_ones(capsys):
    assert markov_chain.main(["--walks", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Run #1: 0 0 3", "Run #2: 0 1 2 1 2 1 2 1 2 1 3"]
    assert lines[3] == "Run #4: 0 3"


def test_markov_chain_lasts_as_long_as_its_fundamental_matrix_says():
    # Row 0 by hand: N00 = 1 / 0.3; N01 = 0.2 N00 / (1 - 0.9); N02 = 0.9 N01.
    np.testing.assert_allclose(markov_chain.expected_visits()[0], [10 / 3, 20 / 3, 6.0])
    random = np.random.RandomState(0)
    visits = np.array([np.bincount(markov_chain.walk(random), minlength=4) for _ in range(4000)])
    np.testing.assert_allclose(visits.mean(axis=0), [10 / 3, 20 / 3, 6.0, 1.0], rtol=0.06)


def test_markov_chain_breaks_off_a_walk_that_is_too_long():
    assert markov_chain.walk(np.random.RandomState(42), start=1, max_steps=3) == [1, 2, 1]


def test_q_value_iteration_gives_the_published_values():
    q = mdp.iterate_q_values().q
    published = [[18.91891892, 17.02702702, 13.62162162], [0.0, -INF, -4.87971488], [-INF, 50.13365013, -INF]]
    np.testing.assert_allclose(q, published, atol=5e-9)
    np.testing.assert_array_equal(q.argmax(axis=1), [0, 0, 1])
    np.testing.assert_array_equal(mdp.iterate_q_values(discount=0.95).q.argmax(axis=1), [0, 2, 1])


def test_q_value_iteration_ends_where_the_bellman_equation_holds():
    # In state 0 the best action is 0, so its value v solves v = 0.7 (10 + 0.9 v) + 0.3 * 0.9 * 0.
    assert mdp.iterate_q_values(rounds=1000).q[0, 0] == pytest.approx(7 / 0.37, abs=1e-12)


def test_q_learning_gives_the_published_values():
    solution = mdp.learn_q_values(np.random.RandomState(42))
    published = [[18.77621289, 17.2238872, 13.74543343], [0.0, -INF, -8.00485647], [-INF, 49.40208921, -INF]]
    np.testing.assert_allclose(solution.q, published, atol=5e-9)
    assert solution.history.shape == (10_000, 3, 3)
    np.testing.assert_array_equal(solution.history[0], mdp.blank_values())


def test_q_learning_by_hand():
    # From s1, action 2 leads to s2 at -50 and the only action there is worth 0: Q(s1, a2) = 0.5 * -50 at α = 0.5.
    class Script:
        def __init__(self):
            self.choices = iter([0, 1, 2, 2])  # s0: action 0 to s1; s1: action 2 to s2

        def choice(self, options, p=None):
            return next(self.choices)

    q = mdp.learn_q_values(Script(), steps=2, alpha=0.5, alpha_decay=0.0).q
    np.testing.assert_array_equal(q, [[0.0, 0.0, 0.0], [0.0, -INF, -25.0], [-INF, 0.0, -INF]])


def test_mdp_command_prints_the_tables_and_draws_two_panels(tmp_path, capsys):
    import imageio.v3 as imageio

    assert mdp.main(["--figure", str(tmp_path / "curves.png")]) == 0
    printed = capsys.readouterr().out
    assert "[[18.91891892 17.02702702 13.62162162]" in printed
    assert "best actions: [0 2 1]" in printed
    picture = imageio.imread(tmp_path / "curves.png")[..., :3].astype(int)
    blue = np.all(np.abs(picture - [31, 119, 180]) < 12, axis=-1)
    half = picture.shape[1] // 2
    assert blue[:, :half].sum() > 200
    assert blue[:, half:].sum() > 200


def test_corridor_value_moves_back_one_cell_with_each_pass():
    q = np.zeros((7, 2))
    for _ in range(3):
        corridor.walk(q, corridor.RIGHT, 0.9)
    np.testing.assert_allclose(q[:, corridor.RIGHT], [0, 0, 0, 0.81, 0.9, 1.0, 0])
    np.testing.assert_array_equal(q[:, corridor.LEFT], 0.0)


def test_corridor_death_teaches_only_what_it_costs():
    q = np.zeros((7, 2))
    corridor.walk(q, corridor.LEFT, 0.9)
    np.testing.assert_array_equal(q, 0.0)
    for _ in range(2):
        corridor.walk(q, corridor.LEFT, 0.9, penalty=1.0)
    np.testing.assert_array_equal(q[:, corridor.LEFT], [0, -1, 0, 0, 0, 0, 0])


def test_corridor_command_prints_each_pass(capsys):
    assert corridor.main(["--discount", "0.5"]) == 0
    assert "right  0.000  0.000  0.000  0.250  0.500  1.000  0.000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("main", "argv", "culprit"),
    [
        (markov_chain.main, ["--walks", "0"], "--walks 0"),
        (mdp.main, ["--seed", "-1"], "--seed -1"),
        (mdp.main, ["--figure", "no/such/folder/x.png"], "no/such/folder"),
        (corridor.main, ["--discount", "1.5"], "--discount 1.5"),
    ],
)
def test_commands_refuse_what_is_out_of_range(main, argv, culprit):
    with pytest.raises(UserError, match=culprit):
        main(argv)
