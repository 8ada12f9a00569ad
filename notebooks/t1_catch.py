# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # T1: a network learns to catch
#
# This notebook follows T1, "Reinforcement Learning: Deep Q-Networks" by Francis Tseng (2016,
# Keras 1). An object falls, a paddle has to catch it, and a network learns how from nothing but
# the screen and the reward.
#
# **How to run it.** Install the project with `pip install ".[notebooks]"`, and open
# `t1_catch.ipynb` in Jupyter: `jupyter lab notebooks/t1_catch.ipynb`. For one without outputs,
# to type into: `jupytext --to notebook --output mine.ipynb t1_catch.py`. Run the cells from top
# to bottom; type them, if you want to learn them. All of it takes about three minutes.
#
# The page for it: [Catch](../docs/catch.md). About T1: [the five
# tutorials](../docs/tutorials.md). The next notebook: [T2](t2_why_it_fails.ipynb).

# %% tags=["parameters"]
GAMES = 300  # with the agent to read; T1 plays 6500
COMPILED_GAMES = 6500  # with the compiled loop
GAMES_AFTER = 150  # of the experiment with a small memory

# %% [markdown]
# ## The game
#
# The screen has ten rows and ten columns. The paddle is three cells wide and stands on the
# bottom row. One object falls, one row in each step. This is how a game begins:

# %%
import matplotlib.pyplot as plt
import numpy as np

from catch_dqn import Game

plt.rcParams["figure.figsize"] = (5, 3)  # inches
game = Game()
plt.imshow(game.state.reshape(10, 10), cmap="Blues")
plt.show()

# %% [markdown]
# The network will see the same thing as 100 numbers, row by row.

# %%
game.state

# %% [markdown]
# Move: 0 goes left, 1 stays, 2 goes right. Then the object falls one row. The reward is 0 until
# the object arrives.

# %%
print("reward", game.move(2))
print(game.render())

# %% [markdown]
# Play to the end by hand. Change the moves, so that you win.

# %%
for action in (2, 2, 2, 1, 1, 1, 1, 1):
    reward = game.move(action)
print("reward", reward, "won", game.won)
print(game.render())

# %% [markdown]
# ## The agent
#
# T1's agent has a network with two hidden layers of 100 units. It takes a random action with a
# chance of 0.1, and its discount is 0.9.

# %%
from catch_dqn import Agent

agent = Agent(game)
agent.model.summary()

# %% [markdown]
# Ask the network what the three actions are worth in the first state of a game. It has learned
# nothing yet.

# %%
agent.model(game.reset()[None]).numpy()

# %% [markdown]
# The agent takes the action of the highest value, or now and then a random one.

# %%
[agent.choose_action() for _ in range(20)]

# %% [markdown]
# It remembers what it did: the state, the action, the reward, the next state, and whether the
# game is over.

# %%
state, action = game.state, agent.choose_action()
reward = game.move(action)
agent.remember(state, action, reward, game.state, game.won is not None)
len(agent.memory)

# %% [markdown]
# And it learns from what it remembers. `replay` gives back the loss.

# %%
agent.replay(batch_size=256)

# %% [markdown]
# ## T1's loop
#
# Play a game. Remember each step, and learn after each step. Now and then draw the win rate of
# the last 100 games. The picture changes while the agent learns.

# %%
from IPython.display import clear_output


def play_games(game, agent, games, batch_size=256):
    wins = []
    for epoch in range(games):
        state = game.reset()
        while game.won is None:
            action = agent.choose_action()
            reward = game.move(action)
            agent.remember(state, action, reward, game.state, game.won is not None)
            agent.replay(batch_size)
            state = game.state
        wins.append(game.won)
        if epoch % 20 == 19 or epoch == games - 1:
            show_win_rate(wins)


def show_win_rate(wins):
    clear_output(wait=True)  # the picture before
    plt.plot([np.mean(wins[max(0, i - 100) : i]) for i in range(1, len(wins) + 1)])
    plt.ylim(0, 1)
    plt.xlabel("games")
    plt.ylabel("win rate, last 100")
    plt.show()


play_games(game, Agent(game), GAMES)

# %% [markdown]
# After 300 games it still loses most of them. It starts at about 30 %, and T1 needs 6500 games
# to come to about 90 %.
#
# ## One line each: the optimizer, the loss, the network
#
# Adam in place of plain gradient descent:

# %%
import keras

agent = Agent(game, optimizer=keras.optimizers.Adam(2e-3))
play_games(game, agent, GAMES)

# %% [markdown]
# The optimizer makes the whole difference here. The reward comes once in nine steps, and plain
# gradient descent with a step of 0.01 is slow to carry it back to the first ones.
#
# Another loss, Huber's in place of the squared error:

# %%
other = Agent(game, optimizer=keras.optimizers.Adam(2e-3), loss=keras.losses.Huber())
play_games(game, other, GAMES)

# %% [markdown]
# Another network, with a convolution. (Any Keras model will do that takes 100 numbers and gives
# three.)

# %%
layers = keras.layers
convolution = keras.Sequential(
    [
        keras.Input((100,)),
        layers.Reshape((10, 10, 1)),
        layers.Conv2D(8, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(100, activation="relu"),
        layers.Dense(3),
    ]
)
play_games(game, Agent(game, model=convolution, optimizer=keras.optimizers.Adam(2e-3)), GAMES)

# %% [markdown]
# ## The same, compiled
#
# T1's code asks the network about one state at a time, 512 times for each step. On Keras 3 its
# 6500 games would take 12 days. The agent above asks once for the whole batch. And the compiled
# loop puts the game, the memory and the network into one program. Here are T1's 6500 games,
# with T1's settings:

# %%
from shared.learn import experiment

compiled = experiment("catch_dqn", episodes=COMPILED_GAMES)
history = compiled.fit()

# %% [markdown]
# `history` knows how it went. T1 comes to a win rate of about 90 %.

# %%
history.plot()

# %% [markdown]
# Without random actions, and from all 80 starts that there are (T1 trains with 63 of them):

# %%
compiled.evaluate()

# %% [markdown]
# ## Watch it play
#
# Three games of the agent that learned with Adam, without random actions.

# %%
import gymnasium

from shared.display.notebook import animated

env = gymnasium.make("catch_dqn/Catch-v0", render_mode="rgb_array")
animated(env, lambda state: agent.model(state[None]).numpy().argmax(), episodes=3, fps=8, seed=0)

# %% [markdown]
# ## Why it needs a memory
#
# Can you *see* a network forget? First see what the agent knows. There are 63 ways to start a
# game. Play each of them without random actions; a blue cell is a game that is won.


# %%
def won_starts(agent):
    explore, agent.explore, won = agent.explore, 0.0, np.zeros((7, 9), bool)
    for row in range(7):
        for column in range(9):
            agent.env.reset()
            agent.env.paddle, agent.env.column = row + 1, column
            while agent.env.won is None:
                agent.env.move(agent.choose_action())
            won[row, column] = agent.env.won
    agent.explore = explore
    return won


def show_starts(won):
    plt.imshow(won, cmap="Blues", vmin=0, vmax=1, extent=(-0.5, 8.5, 7.5, 0.5))
    plt.xlabel("column of the object")
    plt.ylabel("start of the paddle")
    plt.title(f"{won.sum()} of 63 starts are won")
    plt.show()


show_starts(won_starts(agent))

# %% [markdown]
# Now the world changes: objects fall on the left side only, in columns 0 to 3. The agent goes
# on learning, and its memory still holds its old games, in which objects fell everywhere.


# %%
import tempfile
from pathlib import Path


class LeftGame(Game):
    def reset(self):
        super().reset()
        self.column = int(self.rng.integers(4))
        return self.state


weights = Path(tempfile.mkdtemp()) / "game_weights.h5"
agent.save(weights)
agent.env = LeftGame()
play_games(agent.env, agent, GAMES_AFTER)

# %%
show_starts(won_starts(agent))

# %% [markdown]
# It still knows the right side. Now do the same again, with a memory of 64 steps. That is seven
# games, and soon all of them are games on the left.

# %%
forgetful = Agent(LeftGame(), optimizer=keras.optimizers.Adam(2e-3), memory_limit=64)
forgetful.load(weights)
play_games(forgetful.env, forgetful, GAMES_AFTER, batch_size=64)

# %%
show_starts(won_starts(forgetful))

# %% [markdown]
# It wins on the left, and it has forgotten the right. This is what the memory is for: the agent
# learns from old games as well as from new ones, and so it keeps what it knows.
#
# ## Save and load, in plain Keras
#
# `agent.save` writes the weights into one file. Keras reads it without this project.

# %%
network = keras.Sequential(
    [
        keras.Input((100,)),
        layers.Dense(100, activation="relu"),
        layers.Dense(100, activation="relu"),
        layers.Dense(3),
    ]
)
network.load_weights(weights)
network(game.reset()[None]).numpy()

# %% [markdown]
# And an agent of T1 reads it, too.

# %%
loaded = Agent(game)
loaded.load(weights)
loaded.model(game.state[None]).numpy()

# %% [markdown]
# Next: [T2](t2_why_it_fails.ipynb), an agent that cannot learn. `python -m catch_dqn.train
# --preset tuned` trains an agent that wins from all 80 starts; `python -m catch_dqn.play
# --human` lets you play.
