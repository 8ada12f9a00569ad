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
# # T2: an agent that cannot learn. Why?
#
# This notebook follows T2, "Your first deep Q-learning program" (for PyTorch; we do not know
# its author). T2 builds an agent for CartPole that never gets better. Then it asks the reader
# why. Here you build the same agent in Keras, look inside it, and mend it, one part at a time.
#
# **How to run it.** Install the project with `pip install ".[notebooks]"`, and open
# `t2_why_it_fails.ipynb` in Jupyter: `jupyter lab notebooks/t2_why_it_fails.ipynb`. For one
# without outputs, to type into: `jupytext --to notebook --output mine.ipynb
# t2_why_it_fails.py`. Run the cells from top to bottom; type them, if you want to learn them.
# All of it takes about three minutes.
#
# The page for it: [CartPole in seven ways](../docs/cartpole.md). About T2: [the five
# tutorials](../docs/tutorials.md). The next notebook: [T3](t3_keras_tips.ipynb).

# %% tags=["parameters"]
NAIVE_EPISODES = 100  # of T2's agent; T2 itself runs for ever
EPISODES = 150  # of each agent that comes after it

# %% [markdown]
# ## The game
#
# A pole stands on a cart. Push the cart to the left (0) or to the right (1), and do not let the
# pole fall.

# %%
import gymnasium
import matplotlib.pyplot as plt
import numpy as np

from cartpole_dqn import plot_environment, show_one_episode

plt.rcParams["figure.figsize"] = (5, 3)  # inches
env = gymnasium.make("CartPole-v1", render_mode="rgb_array", max_episode_steps=200)
state, _ = env.reset(seed=0)
plot_environment(env)
plt.show()

# %% [markdown]
# The agent does not see this picture. It sees four numbers: where the cart is, how fast it
# goes, how far the pole leans (in radians, to the right is above 0), and how fast it turns.

# %%
print(state)

# %% [markdown]
# One step: push to the right. You get the new state and a reward of 1.

# %%
state, reward, terminated, truncated, _ = env.step(1)
print("state", state, "reward", reward, "fallen", terminated)

# %% [markdown]
# ## The network
#
# Four numbers go in. Two numbers come out: the value of pushing left, and the value of pushing
# right. These are T2's layers, its optimizer and its step size. The loss is the squared error
# of the action that was taken.

# %%
import keras

from shared.nn.losses import TakenSquaredError


def make_network(*units):
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(n, activation="relu") for n in units]
    network = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(2)])
    network.compile(optimizer=keras.optimizers.Adam(1e-3), loss=TakenSquaredError())
    return network


network = make_network(1024, 512)
network.summary()

# %% [markdown]
# Ask it. It has learned nothing yet, so the two values mean nothing.

# %%
network.predict_on_batch(state[None])

# %% [markdown]
# ## T2's `learn`
#
# T2 moves the larger of the two values towards the reward. (The agent takes the action with the
# larger value, so this is the value of what it did.) The other value is left as it is.


# %%
def learn(state, reward):
    target = network.predict_on_batch(state[None])  # [1, 2]
    target[0, target.argmax()] = reward
    return network.train_on_batch(state[None], target)


print("loss", learn(state, reward))
print("values after it", network.predict_on_batch(state[None]))

# %% [markdown]
# ## T2's loop
#
# It always takes the action of the larger value, and learns after each step. Watch the score,
# which is the number of steps until the pole falls. Watch the two values, too: they are those
# of a pole that stands upright and still.

# %%
UPRIGHT = np.zeros((1, 4), np.float32)
scores, values = [], []
for episode in range(NAIVE_EPISODES):
    state, _ = env.reset(seed=episode)
    score, terminated, truncated = 0, False, False
    while not (terminated or truncated):
        action = network.predict_on_batch(state[None]).argmax()
        next_state, reward, terminated, truncated, _ = env.step(action)
        learn(state, reward)
        state, score = next_state, score + 1
    scores.append(score)
    values.append(network.predict_on_batch(UPRIGHT)[0])
    if episode % 10 == 0:
        left, right = values[-1]
        print(f"episode {episode:3}  score {score:2}  best {max(scores):2}", end="  ")
        print(f"left {left:6.3f}  right {right:6.3f}")

# %% [markdown]
# The score stays where it is, near 9 steps.

# %%
plt.plot(scores)
plt.xlabel("episode")
plt.ylabel("steps until the pole falls")
plt.ylim(0, 50)
plt.show()

# %% [markdown]
# ## Why?
#
# Stop here for a while. Think of three questions before you go on:
#
# 1. What is the largest loss that is still there to learn from?
# 2. What does the agent know of the action that it does not take?
# 3. Where does the agent hear that the pole fell?

# %% [markdown]
# ## Look inside
#
# First the two values, as they changed. One of them became 1. The other one never had a target.

# %%
plt.plot(values, label=["push left", "push right"])
plt.axhline(1, color="black", linestyle="--", linewidth=1)
plt.xlabel("episode")
plt.ylabel("value of an upright pole")
plt.legend()
plt.show()

# %% [markdown]
# Now let the pole lean. A good agent pushes left when the pole leans to the left, and right
# when it leans to the right. So the two lines should cross in the middle.

# %%
DEGREES = np.linspace(-12, 12, 49)
LEANING = np.zeros((49, 4), np.float32)
LEANING[:, 2] = np.radians(DEGREES)


def plot_values(network, title, limits=(None, None)):
    plt.plot(DEGREES, network.predict_on_batch(LEANING), label=["push left", "push right"])
    plt.xlabel("lean of the pole, degrees")
    plt.ylabel("value")
    plt.title(title)
    plt.ylim(limits)
    plt.legend()
    plt.show()


plot_values(network, "T2's agent", limits=(-0.2, 1.2))

# %% [markdown]
# They do not cross. One action has the larger value everywhere, so the cart is pushed one way
# until the pole falls.
#
# **The answer.** Every reward of CartPole is 1, and the reward of the fatal step is 1 as well.
# So "1" is the right answer for every state and every action. The network found it: there is
# nothing left to learn. The value of an action says nothing about what comes after it.
#
# Does the size of the network matter? Take a small one, for the rest of this notebook.

# %% [markdown]
# ## Mend it, one part at a time
#
# Here is the same loop once more, with four things that you can switch on. As the numbers stand
# in the first line, it is T2's agent: no foresight, no exploring, a memory of one step.

# %%
import random
from collections import deque


def train(network, discount=0.0, explore=0.0, memory_size=1, batch_size=1):
    chance, memory, scores = random.Random(0), deque(maxlen=memory_size), []
    for episode in range(EPISODES):
        state, _ = env.reset(seed=episode)
        score, terminated, truncated = 0, False, False
        while not (terminated or truncated):
            action = network.predict_on_batch(state[None])[0].argmax()
            if chance.random() < explore:
                action = chance.randrange(2)
            next_state, reward, terminated, truncated, _ = env.step(action)
            memory.append((state, action, reward, next_state, terminated))
            learn_batch(network, chance.choices(memory, k=batch_size), discount)
            state, score = next_state, score + 1
        scores.append(score)
    return scores


def learn_batch(network, batch, discount):
    states, actions, rewards, next_states, fallen = (
        np.array(column) for column in zip(*batch, strict=True)
    )
    best = network.predict_on_batch(next_states).max(axis=1)  # the value of the next state, [B]
    target = network.predict_on_batch(states)  # [B, 2]
    target[np.arange(len(batch)), actions] = rewards + discount * best * ~fallen
    network.train_on_batch(states, target)


def summary(scores):
    first, last = np.mean(scores[:20]), np.mean(scores[-20:])
    return f"mean score: {first:.1f} in the first 20 episodes, {last:.1f} in the last 20"


# %% [markdown]
# **Nothing switched on.** A small network fails as the large one does.

# %%
network = make_network(64, 64)
scores = train(network)
summary(scores)

# %% [markdown]
# **Only exploring.** One action in two is random now. So both actions are tried, and both get a
# target.

# %%
network = make_network(64, 64)
scores = train(network, explore=0.5)
plot_values(network, "exploring, without foresight", limits=(-0.2, 1.2))
summary(scores)

# %% [markdown]
# Both lines come to 1, wherever the pole is. This is the whole trouble in one picture: what the
# agent learned is right, and it is of no use. More episodes would only make the lines flatter.
# (The score is higher than before because random pushes keep the pole up for longer than pushes
# to one side.)
#
# **The next state.** Now the target is the reward, plus 0.95 times the value of the best action
# in the next state. After a fall there is no next state, and the target is the reward alone.
# This is how the agent hears of the fall.

# %%
network = make_network(64, 64)
scores = train(network, discount=0.95)
plot_values(network, "the next state, without exploring")
summary(scores)

# %% [markdown]
# The values are larger than 1 now, since they look ahead. But the agent still tries one action
# only.
#
# **The next state and exploring.** One action in ten is random.

# %%
network = make_network(64, 64)
scores = train(network, discount=0.95, explore=0.1)
plot_values(network, "the next state and exploring")
summary(scores)

# %% [markdown]
# A little better, but not good. The agent still learns from the last step alone, and forgets it
# at once.
#
# **And a memory.** The last 2000 steps are kept, and after each step the agent learns from 32
# of them. (So two things change here: which steps it learns from, and from how many.) This
# takes the longest, since the pole stays up longer.

# %%
network = make_network(64, 64)
scores = train(network, discount=0.95, explore=0.1, memory_size=2000, batch_size=32)
plot_values(network, "the next state, exploring, and a memory")
summary(scores)

# %% [markdown]
# Now the lines cross: which action is better depends on how the pole leans. And the scores
# rise:

# %%
plt.plot(scores)
plt.xlabel("episode")
plt.ylabel("steps until the pole falls, 200 at most")
plt.show()

# %% [markdown]
# Watch it play.

# %%
show_one_episode(lambda state: network.predict_on_batch(state[None]).argmax())

# %% [markdown]
# This is a DQN: foresight, exploring, memory. Each of these agents is one run with one seed, so
# do not make much of small differences. Measurements over ten seeds are on the page [CartPole
# in seven ways](../docs/cartpole.md). `python -m cartpole_dqn.train --variant naive` is T2's
# agent as a command, and `--variant dqn --preset tuned` one that plays well.
