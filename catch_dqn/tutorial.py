"""T1 in one file, by its names, to be typed along: Catch, and a DQN to learn it. Run `python -m catch_dqn.tutorial`."""

import random
from collections import deque

import keras
import numpy as np

from shared.commands.parser import Parser, command
from shared.display.terminal import Screen
from shared.files import refuse_existing
from shared.nn.backend import descend, program
from shared.storage import load_weights, save_weights


class Game:
    """A paddle of three cells on the bottom row catches one object; `won` is None until that arrives there."""

    def __init__(self, grid_size: int = 10, seed: int = 0) -> None:
        self.grid_size, self.num_actions, self.rng = grid_size, 3, np.random.default_rng(seed)
        self.reset()

    def reset(self) -> np.ndarray:
        """Begin anew: the object on row 0, both columns drawn (as in T1: neither of them ever rightmost)."""
        self.paddle = int(self.rng.integers(1, self.grid_size - 2))
        self.row, self.column = 0, int(self.rng.integers(0, self.grid_size - 1))
        self.won: bool | None = None
        return self.state

    def move(self, action: int) -> int:
        """The paddle goes left (0), stays (1) or goes right (2), and the object falls; returns the reward."""
        self.paddle = min(max(self.paddle + action - 1, 1), self.grid_size - 2)
        return self.update()

    def update(self) -> int:
        """The object falls one row; returns the reward: 1 or -1 at the end, before that 0."""
        self.row += 1
        if self.row == self.grid_size - 1:
            self.won = abs(self.column - self.paddle) <= 1
        return 0 if self.won is None else 1 if self.won else -1

    @property
    def state(self) -> np.ndarray:
        """What there is to see, row by row: float32 [grid_size²], 1 where the paddle or the object is."""
        grid = np.zeros((self.grid_size, self.grid_size), np.float32)
        grid[-1, self.paddle - 1 : self.paddle + 2] = grid[self.row, self.column] = 1
        return grid.reshape(-1)

    def render(self) -> str:
        """The grid as text."""
        return "\n".join("".join(".#"[int(cell)] for cell in row) for row in self.state.reshape(self.grid_size, -1))


class Agent:
    """Deep Q-learning with experience replay (Mnih et al. 2015, algorithm 1, without a target network)."""

    def __init__(
        self,
        env: Game,
        explore: float = 0.1,  # chance of a random action
        discount: float = 0.9,  # value of a reward one step later
        hidden_size: int = 100,  # units of both hidden layers
        memory_limit: int = 5000,  # transitions that are remembered
        optimizer: str | keras.optimizers.Optimizer = "sgd",
        loss: str | keras.losses.Loss = "mse",
        model: keras.Model | None = None,  # another network, from states [B, 100] to values [B, 3]
        seed: int = 0,  # of the weights, of exploring and of what is replayed
    ) -> None:
        self.env, self.explore, self.discount, self.random = env, explore, discount, random.Random(seed)
        self.memory = deque[tuple](maxlen=memory_limit)
        keras.utils.set_random_seed(seed)
        hidden = [keras.layers.Dense(hidden_size, activation="relu") for _ in range(2)]
        layers = [keras.Input(env.state.shape), *hidden, keras.layers.Dense(env.num_actions)]
        self.model = model or keras.Sequential(layers)
        self.optimizer, self.loss = keras.optimizers.get(optimizer), keras.losses.get(loss)
        self.optimizer.build(self.model.trainable_variables)
        self._values, self._fit = program(self.model), program(self._gradient_step)

    def choose_action(self) -> int:
        """A random action with chance `explore`, else the one of highest value."""
        if self.random.random() < self.explore:
            return self.random.randrange(self.env.num_actions)
        return int(np.argmax(self._values(self.env.state[None])))

    def remember(self, state: np.ndarray, action: int, reward: int, next_state: np.ndarray, game_over: bool) -> None:
        """Keep one transition; the oldest is forgotten when memory is full."""
        self.memory.append((state, action, reward, next_state, game_over))

    def replay(self, batch_size: int = 256) -> float:
        """Learn from a batch of memories, drawn without replacement; returns the loss."""
        count = min(batch_size, len(self.memory))
        rows = np.resize(self.random.sample(range(len(self.memory)), count), batch_size)  # repeats count for nothing
        state, action, reward, next_state, game_over = map(np.array, zip(*(self.memory[i] for i in rows), strict=True))
        # T1 calls `predict` once for each state, 512 times for a batch of 256. Here are two calls, and nothing is slow.
        target = self._values(state)  # [B, A]: what was not tried is right as it is
        target[range(batch_size), action] = reward + self.discount * self._values(next_state).max(axis=1) * ~game_over
        counts = (np.arange(batch_size) < count) / count  # a mean over the rows that count
        return float(self._fit(state, target, counts))

    def _gradient_step(self, state, target, counts):
        weights = self.model.trainable_variables
        return descend(lambda: keras.ops.sum(self.loss(target, self.model(state)) * counts), weights, self.optimizer)

    def save(self, path: str = "game_weights.h5") -> None:
        """Write the network's weights."""
        save_weights(self.model, path)

    def load(self, path: str = "game_weights.h5") -> None:
        """Read them."""
        load_weights(self.model, path)


def train(game: Game, agent: Agent, epochs: int = 6500, batch_size: int = 256, every: int = 100) -> None:
    """T1's loop. Now and then it prints a game's loss, summed, and the win rate of the 100 before it."""
    wins: deque = deque(maxlen=100)
    for epoch in range(epochs):
        state, loss = game.reset(), 0.0
        while game.won is None:
            action = agent.choose_action()
            reward = game.move(action)
            agent.remember(state, action, reward, game.state, game.won is not None)
            state, loss = game.state, loss + agent.replay(batch_size)
        if epoch % every == 0:
            print(f"epoch {epoch}/{epochs}  loss {loss:.4f}  win rate {np.mean(wins) if wins else 0:.0%}", flush=True)
        wins.append(game.won)


def play(game: Game, agent: Agent) -> None:
    """One round, ten frames a second, and who won. As in training, one move in ten is random."""
    game.reset()
    with Screen(fps=10) as screen:
        for _ in range(game.grid_size):
            screen.show(game.render().splitlines())
            screen.wait()
            if game.won is None:
                game.move(agent.choose_action())
    print("winner!" if game.won else "loser!")


def main(argv: list[str]) -> None:
    """Train, leave the weights here, and play a round."""
    Parser("catch_dqn.tutorial", "Train T1's agent; its weights go to game_weights.h5, here.").parse_args(argv)
    refuse_existing("game_weights.h5", "move it away, or work in another folder")
    train(game := Game(), agent := Agent(game))
    agent.save()
    play(game, agent)


if __name__ == "__main__":
    command(main)
