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
# # T5: CartPole by a table, then by a network
#
# This notebook follows T5, the blog post "CartPole Q Learning" by Varun Nayyar (2018, Keras 2).
# T5 writes one agent for Q-learning. What the agent learns is a Q-function, and there are two
# of these: a table and a network. Here you use both, and write a third one.
#
# **How to run it.** Install the project with `pip install ".[notebooks]"`, and open
# `t5_cartpole.ipynb` in Jupyter: `jupyter lab notebooks/t5_cartpole.ipynb`. For one without
# outputs, to type into: `jupytext --to notebook --output mine.ipynb t5_cartpole.py`. Run the
# cells from top to bottom; type them, if you want to learn them. All of it takes about four
# minutes, most of it at the end.
#
# The pages for it: [tables](../docs/tabular_rl.md) and [CartPole in seven
# ways](../docs/cartpole.md). About T5: [the five tutorials](../docs/tutorials.md). The notebook
# before it: [T4](t4_chapter_18.ipynb).

# %% tags=["parameters"]
TABLE_EPISODES = 3000  # T5 plays 25,000
OWN_EPISODES = 400  # of a Q-function of your own
NETWORK_EPISODES = 100  # to read; T5 plays 10,000
ABLATION_EPISODES = 10_000  # of each of four trainings, compiled

# %% [markdown]
# ## A corridor
#
# Before CartPole, a thought experiment. You stand at `Y` in a corridor. Death (`D`) is on the
# left, a reward of 1 (`R`) is on the right. A step to the left or to the right costs nothing.

# %%
import matplotlib.pyplot as plt
import numpy as np

from tabular_rl.corridor import CELLS, LEFT, RIGHT, walk

plt.rcParams["figure.figsize"] = (5, 3)  # inches
" ".join(CELLS)

# %% [markdown]
# A table has a value for each cell and each action. All values are 0 at first. Walk to the
# left, to death, and learn on the way.

# %%
Q = np.zeros((len(CELLS), 2))
walk(Q, LEFT, discount=0.9)
print(Q.T)

# %% [markdown]
# Nothing was learned. Death costs nothing, so its reward is 0, and 0 is what the table said
# before.
#
# Now walk to the right, to the reward. Upper row: left. Lower row: right.

# %%
walk(Q, RIGHT, discount=0.9)
print(Q.T)

# %% [markdown]
# Only the cell beside the reward has learned. Walk twice more. With each pass the value moves
# one cell back, and is multiplied by the discount: 1, 0.9, 0.81.

# %%
for _ in range(2):
    walk(Q, RIGHT, discount=0.9)
    print(Q.T)

# %% [markdown]
# The values now lead from the start to the reward: in each cell, going right is worth more.
#
# What is the discount for? With a discount near 1 a far reward counts nearly as much as a near
# one. With a small discount the agent lives for the moment. (T5's text says it the other way
# round.)

# %%
for discount in (0.99, 0.9, 0.5):
    Q = np.zeros((len(CELLS), 2))
    for _ in range(3):
        walk(Q, RIGHT, discount)
    print(f"discount {discount}: the reward is worth {Q[3, RIGHT]:.4f} at the start")

# %% [markdown]
# ## The interface: `Q[s, a]`
#
# T5 asks little of a Q-function. `Q[s, a]` reads a value. `Q[s, a] = target` learns.
# `Q.get_max(s)` is the value of the best action, `Q.get_arg_max(s)` is the best action.
#
# The first Q-function is a table. A state of CartPole has four numbers. Each of them is sorted
# into bins, and the four bins together are a cell of the table.

# %%
from cartpole_dqn import QTable

Q = QTable()
Q.values.shape

# %% [markdown]
# So the table has 4 x 4 x 29 x 8 = 3712 cells, each with two values. Here is a state and its
# cell.

# %%
state = np.array([0.02, -0.3, 0.05, 0.4])  # place, speed, lean, spin
Q.cell(state)

# %% [markdown]
# Teach it that pushing right (1) is worth 10 here. The value moves one tenth of the way, since
# alpha is 0.1.

# %%
Q[state, 1] = 10
Q[state, 1]

# %% [markdown]
# Both values of a state at once, the larger one, and the action that it belongs to:

# %%
Q[state], Q.get_max(state), Q.get_arg_max(state)

# %% [markdown]
# Do it ten times more. The value comes nearer to 10 and never arrives.

# %%
for _ in range(10):
    Q[state, 1] = 10
    print(f"{Q[state, 1]:.3f}", end=" ")

# %% [markdown]
# ## The agent learns by table
#
# In each step the agent takes a random action with a chance of epsilon, and otherwise the best
# action of `Q`. Then it sets `Q[s, a]` to the target: the reward plus gamma times the largest
# value of the next state. Epsilon falls from 1 to 0.05.
#
# It prints a line after every 5 % of the episodes.

# %%
from cartpole_dqn import Agent

agent = Agent(QTable, gamma=0.99)
ns, eps = agent.train(TABLE_EPISODES)

# %% [markdown]
# `ns` has the steps of each episode, `eps` has its epsilon.


# %%
def plot_steps(ns):
    window = max(1, len(ns) // 20)
    plt.plot(ns, ".", markersize=2, alpha=0.3)
    plt.plot(
        np.arange(window - 1, len(ns)),
        np.convolve(ns, np.ones(window) / window, "valid"),
        label="mean",
    )
    plt.xlabel("episode")
    plt.ylabel("steps")
    plt.legend()
    plt.show()


plot_steps(ns)

# %%
plt.plot(eps)
plt.xlabel("episode")
plt.ylabel("epsilon")
plt.show()

# %% [markdown]
# Much of the table was never visited. Those cells still hold 0, and nothing was learned there.

# %%
learned = (agent.q.values != 0).any(axis=-1)
f"{learned.mean():.0%} of {learned.size} cells have learned something"

# %% [markdown]
# ## `run()`
#
# Play one episode without random actions. Each step is printed, and the video stands below.

# %%
agent.run()

# %% [markdown]
# With all of T5's 25,000 episodes, the table keeps the pole up for 198 of 200 steps (the
# interquartile mean of ten seeds). Try `TABLE_EPISODES = 25_000`, or the compiled loop: `python
# -m cartpole_dqn.train --variant tabular`.
#
# ## A Q-function of your own
#
# You have the agent. So a new idea is a new Q-function, and nothing else. Here is one that has
# no table and no network: it remembers the last 1000 targets of each action, and a value is the
# mean of the five nearest ones.

# %%
from cartpole_dqn import QFunction

SCALE = np.array([2.4, 2.0, 0.2, 2.0])  # of the four numbers of a state


class Neighbours(QFunction):
    def __init__(self):
        self.states, self.targets, self.count = (
            np.full((2, 1000, 4), np.inf),
            np.zeros((2, 1000)),
            [0, 0],
        )

    def __getitem__(self, state_and_action):
        state, action = state_and_action
        distance = np.square(self.states[action] - state / SCALE).sum(axis=1)
        return self.targets[action, np.argpartition(distance, 5)[:5]].mean()

    def __setitem__(self, state_and_action, target):
        state, action = state_and_action
        place = self.count[action] % 1000  # over the oldest
        self.states[action, place], self.targets[action, place] = state / SCALE, target
        self.count[action] += 1


Q = Neighbours()
Q[state, 1] = 10
Q[state, 1], Q.get_max(state)

# %% [markdown]
# It knows one target of 10, and four places that are still empty and count as 0. The mean of
# these is 2. Now give it to the agent.

# %%
own = Agent(Neighbours, gamma=0.9)
ns, eps = own.train(OWN_EPISODES)

# %%
plot_steps(ns)

# %% [markdown]
# It needs far fewer episodes than the table: what it learned in one state also counts in the
# states near it. (One run with one seed; try others: `Agent(Neighbours, gamma=0.9, seed=1)`.)
#
# ## The network
#
# The second Q-function of T5 is a network with two hidden layers of 20 units. It learns from
# one step at a time, and its gamma is 0.6. Each step takes four calls of the network, so play
# only a few episodes with the loop to read.

# %%
from cartpole_dqn import QNetwork

agent = Agent(QNetwork, gamma=0.6)
agent.q.model.summary()

# %%
ns, eps = agent.train(NETWORK_EPISODES)

# %% [markdown]
# T5 plays 10,000 episodes. The compiled loop does the same thing in seconds. `trained` trains
# T5's network, with some settings changed, and says how well it plays without random actions.

# %%
from shared.learn import experiment

sizes = {"episodes": ABLATION_EPISODES, "epsilon_decay": ABLATION_EPISODES}


def trained(**changes):
    network = experiment("cartpole_dqn", "neural", **sizes, **changes)
    history = network.fit()
    print(f"{network.evaluate()['mean_score_200']:.1f} of 200 steps, the mean of 100 episodes")
    return history


published = trained()

# %% [markdown]
# The steps of every episode:

# %%
plot_steps(published.scores)

# %% [markdown]
# T5 calls its network "quite brittle and unstable". That is what you see: the mean goes up, but
# many episodes still end early. And the number above the picture, without random actions, may
# be far from the curve: it is that of the last weights alone.
#
# ## What is it that makes it brittle?
#
# Change one thing at a time. First the discount: 0.95 in place of 0.6.

# %%
patient = trained(discount=0.95)

# %% [markdown]
# Then the memory: keep 2000 steps and learn from 32 of them, in place of the last one.

# %%
remembering = trained(replay_capacity=2000, batch_size=32)

# %% [markdown]
# Then both.

# %%
both = trained(discount=0.95, replay_capacity=2000, batch_size=32)

# %%
window = max(1, ABLATION_EPISODES // 20)
curves = {"as published": published, "discount": patient, "memory": remembering, "both": both}
for name, history in curves.items():
    plt.plot(np.convolve(history.scores, np.ones(window) / window, "valid"), label=name)
plt.xlabel("episode")
plt.ylabel("steps")
plt.legend()
plt.show()

# %% [markdown]
# Be careful: these are four single runs. With another seed the order may be another one:
# `trained(seed=1)`. What ten seeds say is on the page [CartPole in seven
# ways](../docs/cartpole.md).
