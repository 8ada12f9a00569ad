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
# # T3: Keras tips, with a DQN
#
# This notebook follows T3, "Get used to Keras while implementing DQN" by yukiB (2017, Keras
# 1.2, in Japanese). T3 teaches an agent to catch balls, and shows on the way how to copy a
# model, how to write a loss and an optimizer of your own, how to save a model, and what to do
# when a loss needs more than Keras gives it. Much of this is different in Keras 3.
#
# **How to run it.** Install the project with `pip install ".[notebooks]"`, and open
# `t3_keras_tips.ipynb` in Jupyter: `jupyter lab notebooks/t3_keras_tips.ipynb`. For one without
# outputs, to type into: `jupytext --to notebook --output mine.ipynb t3_keras_tips.py`. Run the
# cells from top to bottom; type them, if you want to learn them. All of it takes about five
# minutes.
#
# The pages for it: [catch-ball](../docs/catch_ball.md), [CAVE](../docs/cave.md) and
# [files](../docs/files.md). About T3: [the five tutorials](../docs/tutorials.md). The notebook
# before it: [T2](t2_why_it_fails.ipynb). The next one: [T4](t4_chapter_18.ipynb).

# %% tags=["parameters"]
EPOCHS = 1000  # games of each of three trainings, counted from when the memory is full
MEMORY = 5000  # steps that are remembered; learning begins when it is full
CAVE_STEPS = 300  # of CAVE to watch
LSTM_STEPS = 150_000  # of each of two trainings on the author's CAVE

# %% [markdown]
# ## The game
#
# Ball after ball falls. A bar of three cells has to catch them; the first one that is missed
# ends the game. This is an agent that comes with the project. (16x16 cells, 150 steps.)

# %%
from pathlib import Path

import gymnasium
import matplotlib.pyplot as plt
import numpy as np

import catch_dqn
from shared.display.notebook import animated
from shared.legacy import open_model

plt.rcParams["figure.figsize"] = (5, 3)  # inches


def pretrained(package, name):
    folder = Path(package.__file__).parent / "pretrained" / name
    return open_model(folder / "model.yaml", folder / "game_weights.h5")


def player(model):
    return lambda screen: model(screen[None]).numpy().argmax()


agent = pretrained(catch_dqn, "ball16")
env = gymnasium.make("catch_dqn/CatchBall16-v0", render_mode="rgb_array", max_episode_steps=150)
animated(env, player(agent), episodes=1, fps=15, seed=0, every=2)

# %% [markdown]
# The screen is what the network sees: 1 where the bar is, 0.5 where a ball is.

# %%
screen, _ = env.reset(seed=0)
plt.imshow(screen[..., 0], cmap="Blues")
plt.show()

# %% [markdown]
# The actions are 0 (stay), 1 (left) and 2 (right). Their values in this state:

# %%
agent(screen[None]).numpy()

# %% [markdown]
# ## Tip: copy a model
#
# A target network begins as a copy of the network. T3 makes it with `copy.copy`. What does that
# do? Take a small network, copy it, and ask both the same thing.

# %%
import copy

import keras

network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
copied = copy.copy(network)
x = np.ones((1, 4), np.float32)
print("network", network(x).numpy())
print("copy   ", copied(x).numpy())

# %% [markdown]
# The same values. Now change the network. Does the copy follow?

# %%
network.layers[0].kernel.assign(network.layers[0].kernel + 1)
print("network", network(x).numpy())
print("copy   ", copied(x).numpy())

# %% [markdown]
# In Keras 3 it does not follow: the copy has weights of its own. In Keras 1 the copy *shared*
# the weights of the network. It followed each update, so there was no target network at all
# until the first real copy. Two names for one network behave like this:

# %%
then = network
network.layers[0].kernel.assign(network.layers[0].kernel + 1)
print("network        ", network(x).numpy())
print("copy in Keras 1", then(x).numpy())

# %% [markdown]
# `keras.models.clone_model` is something else. It makes the layers anew, and their weights are
# new random ones. What was learned is not in it.

# %%
print("network", network(x).numpy())
print("clone  ", keras.models.clone_model(network)(x).numpy())

# %% [markdown]
# `clone_model` of this project copies the weights as well (and, where a model is compiled, its
# optimizer).

# %%
from shared.nn.copies import clone_model

cloned = clone_model(network)
print("network", network(x).numpy())
print("clone  ", cloned(x).numpy())

# %% [markdown]
# Change the network. The clone stays as it was.

# %%
network.layers[0].kernel.assign(network.layers[0].kernel + 1)
print("network", network(x).numpy())
print("clone  ", cloned(x).numpy())

# %% [markdown]
# ## Tip: a loss of one's own
#
# T3 clips the error. The loss is a parabola where the error is at most 1, and a straight line
# beyond (Huber 1964). So one large error does not pull harder than an error of 1.

# %%
from shared.nn.losses import clipped_huber

errors = np.linspace(-3, 3, 121, dtype=np.float32)
clipped = clipped_huber(errors[:, None], np.zeros((121, 1))).numpy()
plt.plot(errors, errors**2 / 2, "--", label="half the squared error")
plt.plot(errors, clipped, label="clipped")
plt.xlabel("error")
plt.legend()
plt.show()

# %% [markdown]
# Now the loss of a batch. Two states with three actions each. In the first one action 2 was
# taken, in the second one action 0.

# %%
q = np.array([[0.2, 0.5, 1.0], [0.3, -0.4, 0.1]], np.float32)
action = np.array([2, 0])
target = np.array([3.0, 0.5], np.float32)  # the errors are 2 and 0.2

# %% [markdown]
# T3 writes the loss in three ways. They are three ways to say which action was taken, and give
# one number.
#
# **First**, as a Keras loss. It gets two arrays of the same shape. So write the target into a
# copy of `q`: the other actions have no error.

# %%
from shared.nn.losses import ClippedHuber

y_true = q.copy()
y_true[np.arange(2), action] = target
print(y_true)
ClippedHuber()(y_true, q).numpy()

# %% [markdown]
# By hand: an error of 2 costs 2 - 0.5, an error of 0.2 costs half its square. The sum is 1.52.
#
# **Second**, with a mask: multiply `q` by a one-hot vector of the action.

# %%
from shared.nn.losses import masked_clipped_huber

masked_clipped_huber(q, action, target).numpy().sum()

# %% [markdown]
# **Third**, inside the model (T3 calls it "Tips 3"). The model has three inputs, state, action
# and target, and it puts out its own loss. The loss that Keras is given only passes it on.

# %%
from shared.nn.loss_inside import OutputAsLoss, with_loss_inside

identity = keras.Sequential([keras.Input((3,)), keras.layers.Identity()])  # its values: q
inside = with_loss_inside(identity)
inputs = {"state": q, "action": action, "y_true": target}
inside.predict_on_batch(inputs)["loss"].sum()

# %% [markdown]
# This is how such a model is trained. The labels count for nothing, so they are zeros.

# %%
network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
inside = with_loss_inside(network)
inside.compile("adam", loss={"loss": OutputAsLoss()})
for _ in range(5):
    print(f"loss {inside.train_on_batch(inputs, {'loss': np.zeros(2)}):.3f}")

# %% [markdown]
# Keras has a Huber loss, too. It is the same curve, but the mean over all six values in place
# of the sum.

# %%
keras.losses.Huber()(y_true, q).numpy() * 6

# %% [markdown]
# ## Tip: an optimizer of one's own
#
# Both RMSProps divide the gradient by its usual size, so that all weights move at about the
# same pace. Here is the rule of RMSProp by hand, for one weight and five gradients.

# %%
gradients, rate = np.array([1.0, 1.0, -0.5, 2.0, 1.0], np.float32), 0.00025

n, w, by_hand = 0.0, 0.0, []
for g in gradients:
    n = 0.9 * n + 0.1 * g**2  # the mean square
    w -= rate * g / np.sqrt(n + 1e-7)
    by_hand.append(w)
print(np.array(by_hand))

# %% [markdown]
# And Keras:


# %%
def places(optimizer):
    weight, passed = keras.Variable(0.0), []
    for g in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(g)], [weight])
        passed.append(weight.numpy())
    return np.array(passed)


places(keras.optimizers.RMSprop(rate))

# %% [markdown]
# Graves' rule (2013) divides by the standard deviation of the gradient, and adds a part of the
# last step to the new one (momentum). Keras 1 did not have it, so T3 wrote it.

# %%
n, mean, step, w, by_hand = 0.0, 0.0, 0.0, 0.0, []
for g in gradients:
    n = 0.95 * n + 0.05 * g**2
    mean = 0.95 * mean + 0.05 * g
    step = 0.9 * step - rate * g / np.sqrt(n - mean**2 + 1e-4)
    w += step
    by_hand.append(w)
print(np.array(by_hand))

# %%
from shared.nn.optimizers import RMSPropGraves

places(RMSPropGraves(rate, alpha=0.95, momentum=0.9, epsilon=1e-4))

# %% [markdown]
# After five gradients Graves has gone much further. With a momentum of 0.9 each gradient counts
# ten times in the end: 1 + 0.9 + 0.81 + ... = 10.
#
# ## Which one is better?
#
# T3 plots the loss of both, and finds Graves ahead at first. Train three agents for the game on
# 8x8 cells: RMSProp, Graves, and RMSProp with ten times the step. All else is the same.

# %%
from shared.learn import experiment

sizes = {"episodes": EPOCHS, "replay_capacity": MEMORY, "learning_starts": MEMORY - 2}
with_rmsprop = experiment("catch_dqn", "ball8", optimizer="rmsprop", **sizes)
rmsprop = with_rmsprop.fit()
print("without random actions:", with_rmsprop.evaluate())

# %%
with_graves = experiment("catch_dqn", "ball8", optimizer="rmsprop-graves", **sizes)
graves = with_graves.fit()
print("without random actions:", with_graves.evaluate())

# %%
steps = {"learning_rate": 0.0025}
with_larger_steps = experiment("catch_dqn", "ball8", optimizer="rmsprop", **steps, **sizes)
larger = with_larger_steps.fit()
print("without random actions:", with_larger_steps.evaluate())

# %%
curves = {"RMSProp": rmsprop, "Graves": graves, "RMSProp, ten times the step": larger}
figure, (upper, lower) = plt.subplots(2, 1, figsize=(6, 5), sharex=True)
for name, history in curves.items():
    learning = history["loss"] > 0
    upper.plot(history["episodes"], history["score"], label=name)
    lower.plot(history["episodes"][learning], history["loss"][learning], linewidth=0.8)
upper.set_ylabel("score")
lower.set(ylabel="loss", xlabel="epoch", yscale="log")
upper.legend()
plt.show()

# %% [markdown]
# While the memory fills, nothing is learned. Then Graves and the RMSProp with the larger step
# go ahead, and plain RMSProp follows. So it is mostly the size of the step that makes the
# difference: see [catch-ball](../docs/catch_ball.md), with ten seeds.
#
# ## Double DQN, and what T3 does
#
# In Double DQN the network picks the next action, and the target network says what it is worth.
# T3's code takes the target network's value of another action: the one that was *just taken*.
# Here is a step in which action 0 was taken, and the values of the next state by both networks:

# %%
from shared.dqn.formulas import td_target

reward, discount = np.array([0.0], np.float32), np.array([0.9], np.float32)
by_network = np.array([[1.0, 3.0, 2.0]], np.float32)
by_target = np.array([[0.5, 1.0, 4.0]], np.float32)
taken = np.array([0])
print("DQN:       ", td_target(reward, discount, by_target).numpy())
print("Double DQN:", td_target(reward, discount, by_target, by_network.argmax(axis=1)).numpy())
print("T3's:      ", td_target(reward, discount, by_target, taken).numpy())

# %% [markdown]
# ## Tip: save a model
#
# T3 saves the network as YAML and the weights as HDF5. Keras 3 no longer writes YAML; this
# project does. Look at it:

# %%
import tempfile

from shared.storage import load_model, save_model

folder = Path(tempfile.mkdtemp())
saved = save_model(agent, folder)
print(saved.architecture.read_text())

# %% [markdown]
# Load it. Both give the same values.

# %%
loaded = load_model(*saved)
print(agent(screen[None]).numpy())
print(loaded(screen[None]).numpy())

# %% [markdown]
# ## An agent of 2017
#
# Agents that T3's readers saved in 2017 still exist, and Keras 3 does not read them. Here is
# such a file, in the layout of Keras 1.2.1. (It lies in the folder `tests/data` of the project.
# It is small, and its weights are random.)

# %%
data = Path("../tests/data")
print((data / "keras_1_th.yaml").read_text()[:700], "...")

# %% [markdown]
# It has tags such as `!!python/tuple`, which a safe reader of YAML refuses. Its channels come
# first. And its loss is inside the model, in a layer that holds program code. `open_model`
# reads all of it as data and never runs it; it turns the channels, and leaves out the loss.

# %%
old = open_model(data / "keras_1_th.yaml", data / "keras_1_th.hdf5")
old.summary()

# %% [markdown]
# It plays, on a screen of 8x8. Random weights do not play well.

# %%
small = gymnasium.make("catch_dqn/CatchBall8-v0", render_mode="rgb_array", max_episode_steps=50)
animated(small, player(old), episodes=1, fps=8, seed=0, every=2)

# %% [markdown]
# With files of your own: `open_model("dqn_model.yaml", "dqn_model_weights.hdf5")`, or in the
# terminal `python -m catch_dqn.play --game ball16 --model old.yaml --weights old.hdf5`.
#
# ## CAVE
#
# T3 ends with a game of its own. A craft rises while a button is held, and sinks when it is
# released. T3's agent learned to keep off the walls, and flew into the blocks. Here is an agent
# of this project.

# %%
import cave_game

pilot = pretrained(cave_game, "cave")
shown = {"render_mode": "rgb_array", "max_episode_steps": CAVE_STEPS}
cave = gymnasium.make("cave_game/Cave-v0", observation="columns", **shown)
animated(cave, player(pilot), episodes=1, fps=25, seed=2, every=2)

# %% [markdown]
# T3's network sees the last four screens, each one downsampled to 24x24:

# %%
from cave_game.game import Cave

told, _ = cave.reset(seed=2)
for _ in range(60):
    told, *_ = cave.step(player(pilot)(told))
screens = Cave("screens").observe(np, cave.unwrapped.state)[0]
figure, panels = plt.subplots(1, 4, figsize=(8, 2))
for number, panel in enumerate(panels):
    panel.imshow(screens[..., number], cmap="gray", vmin=0, vmax=1)
    panel.axis("off")
plt.show()

# %% [markdown]
# The agent above has no pictures. It is told where ceiling, floor and block are in each column
# from the craft on (1: there is no block), and how fast it is. That is what a network has to find
# out from pictures before it can learn to fly.

# %%
for name, below in zip(["ceiling", "floor", "block"], told[:-1].reshape(3, 40), strict=True):
    plt.plot(below, "." if name == "block" else "-", label=name)
plt.gca().invert_yaxis()
plt.xlabel("columns ahead")
plt.ylabel("below the craft, in half screens")
plt.legend()
plt.show()
print("speed", told[-1])

# %% [markdown]
# How it learned to fly past blocks, and what each part of that was worth, is on the page
# [CAVE](../docs/cave.md). Fly yourself: `python -m cave_game.play --human`.
#
# ## CAVE as its author wrote it
#
# T3 gives no rules of CAVE, so the game above is ours. The author's own program is public
# (github.com/yukiB/keras-dqn-cave), and its rules are here as a second game. The picture follows
# the craft, no speed is too high, and the cave wanders as far as it likes. Here chance presses
# the button.

# %%
author = gymnasium.make("cave_game/Cave2017-v0", render_mode="rgb_array")
chance = np.random.default_rng(4)
animated(author, lambda screens: chance.integers(2), episodes=1, fps=10, seed=4)

# %% [markdown]
# How far does chance get? 58.7 steps on average, with a decision at each step; the author's agent
# of 2017 made 196. The reward is -1 for the crash and nothing else.
#
# The network sees five screens, every second one of the last nine:

# %%
screens, _ = author.reset(seed=4)
for step in range(62):
    screens, *_ = author.step(int(step % 2))  # pressed at every second step: about level
figure, panels = plt.subplots(1, 5, figsize=(10, 2))
for panel, screen in zip(panels, screens, strict=True):
    panel.imshow(screen, cmap="gray", vmin=0, vmax=1)
    panel.axis("off")
plt.show()

# %% [markdown]
# Something is wrong with these pictures where a block reaches above the screen. The program draws
# it with a slice of an array, such as `screen[-2:4] = 0.5`. What does Python make of it?

# %%
column = np.zeros(8)
column[-2:4] = 0.5  # from the last but one to the fourth: nothing
print(column)
column[max(0, -2) : 4] = 0.5
print(column)

# %% [markdown]
# So the block is not to be seen, and kills all the same. The game keeps that (`quirks=True`), as
# the author's agents were trained with it. `quirks=False` draws what is there.
#
# An agent that the author saved plays here from its own two files: `python -m
# cave_game.evaluate --game cave2017 --model dqn_model.yaml --weights dqn_model_weights.hdf5`.
#
# ## Does an LSTM help?
#
# T3 ends with a question: would a recurrent network play CAVE better? The author's program has
# one; the article gives no figures for it. Both networks here see the same screens. The first one
# takes them as the channels of one picture:

# %%
lstm = {
    "preset": "recurrent",
    "steps": LSTM_STEPS,
    "learning_rate_decay": LSTM_STEPS,
    "epsilon_decay": LSTM_STEPS // 20,
    "weight_average": 0.0,
}
stacked = experiment("cave_game", "cave2017", network="stacked", **lstm)
stacked.model.summary()

# %% [markdown]
# The second one looks at each screen alone, with the same convolutions (`TimeDistributed`). An
# LSTM reads what comes of them, oldest first (Hausknecht and Stone 2015):

# %%
recurrent = experiment("cave_game", "cave2017", network="recurrent", **lstm)
recurrent.model.summary()

# %% [markdown]
# Train both for a while, with the same settings.

# %%
histories = {"stacked": stacked.fit(), "LSTM": recurrent.fit()}

# %%
for name, history in histories.items():
    plt.plot(history["steps"], history["score"], label=name)
plt.xlabel("steps in the cave")
plt.ylabel("mean of the last 100 flights")
plt.legend()
plt.show()

# %% [markdown]
# One run each, and a short one: it says little. Three seeds each are on the page
# [CAVE](../docs/cave.md).
