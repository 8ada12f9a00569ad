"""Does a game keep the contract of `shared/games/contract.py`? `python -m shared.games.check ring:Ring`

Random actions play the game on NumPy; then each of its methods is compiled, as training does it, and must give what it
gave there. What is wrong is said in one line each: the method, the mistake, the remedy.
"""

import importlib
import re
import sys
import traceback
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shared.commands.parser import Parser, command
from shared.errors import UserError
from shared.games.contract import Game

GAMES, STEPS = 6, 100  # games side by side, and steps of each
ALMOST_ONE = np.nextafter(np.float32(1), np.float32(0))
MOST_DRAWS = 32  # tried to find out how many a method takes of a game
TOLERANCE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}  # of floats that were computed in two ways
REWARD, TERMINATED, OBSERVATION = "the reward", "terminated", "the observation"
REMARK = "remark: "

TRUTH = (
    "asks whether an array is true (if, while, and, or, not, max, min); "
    "use xp.where instead of if, xp.logical_and instead of and, xp.maximum instead of max"
)
NUMBER = "makes a Python number out of a tensor; compute with whole arrays"
METHOD = "uses .{name} of an array, which tensors do not have; use a function of xp (for astype xp.array(x, dtype=...))"
# What NumPy, Keras and TensorFlow say of common mistakes, and what is meant.
MEANINGS = {
    "truth value of an array": TRUTH,
    "as a Python `bool`": TRUTH,
    "interpreted as an integer": NUMBER,
    "int() argument": NUMBER,
    "float() argument": NUMBER,
    "Iterating over a symbolic": "goes through a tensor in a Python loop; compute with whole arrays",
    "to a numpy array": "hands a tensor to NumPy; call xp, which is keras.ops when the game is compiled",
    "item assignment": "writes into an array; make a new one, as by xp.where",
    "that does not match type": 'mixes types of numbers; convert one of them, as by xp.array(x, dtype="float32")',
    "are valid indices": "picks entries by an array of indices; use xp.take or xp.take_along_axis",
    "keras.ops' has no attribute": "calls xp.{name}, which keras.ops does not have; use what it and numpy both have",
    "Tensor' object has no attribute": METHOD,
    "Tensor object has no attribute": METHOD,
}


def check_game(game: Game) -> list[str]:
    """What keeps a game from being played and trained: a line for each mistake, none if all is well.

    A line that begins with "remark: " is about something that works and could be better. The compiled side is looked at
    once there are no mistakes on NumPy's.
    """
    return _examine(game).lines


class _Stop(Exception):
    """What stands in the report makes it pointless to go on."""


class _Report:
    """What was looked at, and what was found."""

    def __init__(self):
        self.checks, self.lines = set(), []

    def expect(self, fine, check, line):
        """Note the line if it is not fine; `check` names the check, which is counted once."""
        self.checks.add(check)
        if not fine:
            self.lines.append(line)

    def must(self, fine, check, line):
        """The same, and stop."""
        self.expect(fine, check, line)
        self.stop_if(not fine)

    def stop_if(self, condition):
        if condition:
            raise _Stop

    @property
    def mistakes(self):
        return [line for line in self.lines if not line.startswith(REMARK)]


class _Call(NamedTuple):
    """A call of a method, and what it gave on NumPy."""

    arguments: tuple  # arrays and states
    leaves: dict  # arrays by what they are called in messages


def _examine(game):
    report = _Report()
    try:
        _look_at_declarations(game, report)
        player = _Player(game, report)
        with np.errstate(all="ignore"):  # what comes of a division by 0 is looked at
            player.play()
        _look_at_compiled_side(game, player.calls, report)
    except _Stop:
        pass
    return report


def _look_at_declarations(game, report):
    def whole(value, least):
        return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= least

    for name, least in (("num_actions", 1), ("reset_draws", 0), ("step_draws", 0)):
        value = getattr(game, name, None)
        report.expect(whole(value, least), name, f"{name}: is {value!r}; give a whole number from {least} on")
    shape = getattr(game, "observation_shape", None)
    fine = isinstance(shape, tuple) and all(whole(length, 1) for length in shape)
    line = f"observation_shape: is {shape!r}; give the shape of one game's observation, a tuple of whole numbers"
    report.expect(fine, "observation_shape", line)
    for name in ("reset", "step", "observe"):
        there = callable(getattr(game, name, None))
        report.expect(there, name, f"{name}: is missing; shared/games/contract.py says what it takes and gives")
    report.stop_if(report.lines)


class _Player:
    """Plays a game on NumPy, looks at everything that it gives, and keeps it."""

    def __init__(self, game, report):
        self.game, self.report, self.rng = game, report, np.random.default_rng(0)
        self.calls: dict[str, list[_Call]] = {"reset": [], "step": [], "observe": []}
        self.made = None  # the state that the first reset made
        self.unused = {method: set(range(self._declared(method))) for method in ("reset", "step")}  # columns of draws

    def play(self):
        """`STEPS` steps of `GAMES` games; one that is over starts anew."""
        state = self.made = self._called("reset", self._draws("reset"))
        for t in range(STEPS):
            alone = t % GAMES
            self._called("observe", state, alone=alone)
            actions = self.rng.integers(self.game.num_actions, size=GAMES, dtype=np.int32)
            state, _, over = self._called("step", state, actions, self._draws("step"), alone=alone)
            fresh = self._called("reset", self._draws("reset"), alone=alone)
            pairs = zip(fresh, state, strict=True)
            state = type(state)(*(np.where(over.reshape(-1, *[1] * (old.ndim - 1)), new, old) for new, old in pairs))
        for method, columns in self.unused.items():
            line = f"{REMARK}{method}: draws {sorted(columns)} of a game change nothing; are {method}_draws too many?"
            self.report.expect(not columns, (method, "uses its draws"), line)

    def _declared(self, method):
        return getattr(self.game, f"{method}_draws")

    def _draws(self, method):
        draws = self.rng.random((GAMES, self._declared(method)), dtype=np.float32)
        draws[0], draws[1] = 0, ALMOST_ONE  # the ends of [0, 1)
        return draws

    def _called(self, method, *arguments, alone=0):
        """What a method gives; all that can be said about it is in the report."""
        must, given = self.report.must, _mapped(np.copy, arguments)
        result = self._call(method, given)
        leaves = self._look_at(method, result)
        kept = all(_same(*pair) for pair in zip(_flat(given), _flat(arguments), strict=True))
        line = f"{method}: writes into the arrays that it was given; make new ones, as by xp.where"
        must(kept, (method, "leaves its arguments alone"), line)

        odd = _first_odd(leaves, self._again(method, arguments))
        line = (
            f"{method}: {odd} differs though the draws are the same; take chance from draws alone, keep nothing in self"
        )
        must(odd is None, (method, "gives the same for the same draws"), line)

        one = _mapped(lambda array: array[alone : alone + 1], arguments)
        wanted = {name: leaf[alone : alone + 1] for name, leaf in leaves.items()}
        odd = _first_odd(wanted, self._again(method, one, "with a single game "), **TOLERANCE)
        line = (
            f"{method}: {odd} of a game depends on the games beside it; compute along axis 1 and later, axis 0 is N; "
            "write xp.where for an `if` that asks all games or one of them"
        )
        must(odd is None, (method, "keeps games apart"), line)

        for column in sorted(self.unused.get(method, ())):
            draws = arguments[-1].copy()
            draws[:, column] = self.rng.random(GAMES, dtype=np.float32)
            if _first_odd(leaves, self._again(method, (*arguments[:-1], draws))):
                self.unused[method].discard(column)
        self.calls[method].append(_Call(arguments, leaves))
        return result

    def _again(self, method, arguments, when=""):
        return _leaves(method, self._call(method, _mapped(np.copy, arguments), when))

    def _call(self, method, arguments, when=""):
        check = (method, "runs on NumPy")
        self.report.checks.add(check)
        try:
            return getattr(self.game, method)(np, *arguments)
        except Exception as error:
            line = f"{method}: {when}{_meaning(error, self.game)}"
            taken = None if method == "observe" else self._draws_taken(method, arguments)
            if taken is not None:
                name = f"{method}_draws"
                line = f"{method}: {name} is {self._declared(method)}, but it uses {taken}; set {name} = {taken}"
            self.report.must(False, check, line)

    def _draws_taken(self, method, arguments):
        """With how many draws a call goes through that failed; None if that is not why."""
        *others, draws = arguments
        declared = self._declared(method)
        for count in (declared, *range(MOST_DRAWS + 1)):
            try:
                getattr(self.game, method)(np, *_mapped(np.copy, others), np.full((len(draws), count), 0.5, np.float32))
            except Exception:
                continue
            return None if count == declared else count
        return None

    def _look_at(self, method, result):
        """Say what is wrong with the types and shapes of what a method gave; returns the arrays by name."""
        must, expect, lines = self.report.must, self.report.expect, self.report.lines
        if method == "step":
            three = isinstance(result, tuple) and not hasattr(result, "_fields") and len(result) == 3
            line = f"step: gives {_described(result)}; return three values: the state, the reward and terminated"
            must(three, ("step", "gives three values"), line)
        if method != "observe":
            state = result[0] if method == "step" else result
            line = f"{method}: the state is {_described(state)}; make it a NamedTuple of arrays"
            must(isinstance(state, tuple) and hasattr(state, "_fields"), (method, "gives a NamedTuple"), line)
            line = f"{method}: the state is {_described(state)}, before it was {_described(self.made)}; give the same"
            must(self.made is None or type(state) is type(self.made), (method, "keeps the type of the state"), line)
        leaves = _leaves(method, result)
        for name, leaf in leaves.items():
            fine = isinstance(leaf, np.ndarray) and leaf.dtype.kind in "biuf" and leaf.shape[:1] == (GAMES,)
            line = f"{method}: {name} is {_described(leaf)}; make it an array [N, ...], an entry for each game"
            expect(fine, (method, name, "is an array"), line)
        self.report.stop_if(lines)
        for name, leaf in leaves.items():
            wanted = self._wanted(name, leaf)
            remedy = f'convert it, as by xp.array(x, dtype="{wanted.dtype}")'
            if leaf.shape != wanted.shape:
                remedy = "observation_shape says so" if name == OBSERVATION else "keep that shape"
            line = f"{method}: {name} is {_described(leaf)}, not {_described(wanted)}; {remedy}"
            expect((leaf.shape, leaf.dtype) == (wanted.shape, wanted.dtype), (method, name, "has its shape"), line)
            line = f"{method}: {name} holds NaN or infinity; look for a division by 0, or a root or logarithm below 0"
            expect(leaf.dtype.kind != "f" or np.isfinite(leaf).all(), (method, name, "is finite"), line)
        self.report.stop_if(lines)
        return leaves

    def _wanted(self, name, leaf):
        """An array of the type and shape that one of this name should have."""
        if name == OBSERVATION:
            return np.zeros((GAMES, *self.game.observation_shape), np.float32)
        if name in (REWARD, TERMINATED):
            return np.zeros(GAMES, np.float32 if name == REWARD else bool)
        return leaf if self.made is None else _leaves("reset", self.made)[name]


def _look_at_compiled_side(game, calls, report):
    """Compile each method and compare what it gives with what it gave on NumPy."""
    from shared.nn.backend import compiled  # before Keras, to keep TensorFlow quiet

    # isort: split
    from keras import ops

    def program_of(method):
        return compiled(lambda *arguments: getattr(game, method)(ops, *arguments))

    for method, made in calls.items():
        program = program_of(method)
        for i, call in enumerate(made):
            try:
                result = program(*_mapped(ops.convert_to_tensor, call.arguments))
            except Exception as error:
                report.must(False, (method, "compiles"), f"{method}: compiled, it {_meaning(error, game)}")
            report.checks.add((method, "compiles"))
            for name, theirs in _leaves(method, result).items():
                ours, theirs = call.leaves[name], ops.convert_to_numpy(theirs)
                line = f"{method}: {name} is {_described(ours)} with numpy, {_described(theirs)} with keras.ops; "
                fine = (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
                report.must(fine, (method, name, "has one type"), f'{line}name the type, as by dtype="{theirs.dtype}"')
                if not _same(ours, theirs, **TOLERANCE):
                    first = tuple(np.argwhere(~np.isclose(ours, theirs, **TOLERANCE))[0])
                    line = f"{method}: {name} is {ours[first]} with numpy and {theirs[first]} with keras.ops, "
                    line += f"first at {method} number {i + 1}, game {first[0]}; use what means the same in both"
                    report.must(False, (method, name, "is the same"), line)
                report.checks.add((method, name, "is the same"))


def _leaves(method, result):
    """The arrays that a method gives, by what they are called in messages."""
    if method == "observe":
        return {OBSERVATION: result}
    state, *others = result if method == "step" else (result,)
    fields = {f"field {name}": field for name, field in zip(state._fields, state, strict=True)}
    return fields | dict(zip((REWARD, TERMINATED), others, strict=False))


def _mapped(function, arguments):
    """The function applied to each array in a tuple of arrays and states."""
    return tuple(type(a)(*map(function, a)) if hasattr(a, "_fields") else function(a) for a in arguments)


def _flat(arguments):
    return [array for a in arguments for array in (a if hasattr(a, "_fields") else (a,))]


def _same(a, b, **tolerance):
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    return np.allclose(a, b, **tolerance) if tolerance and a.dtype.kind == "f" else np.array_equal(a, b)


def _first_odd(leaves, others, **tolerance):
    """The name of the first array that differs, or None."""
    return next((name for name, leaf in leaves.items() if not _same(leaf, others[name], **tolerance)), None)


def _described(value):
    """What kind of thing it is: "float32 [N, 4]", or the name of its type."""
    if not isinstance(value, np.ndarray):
        return f"a {type(value).__name__}"
    shape = ["N" if axis == 0 and length == GAMES else str(length) for axis, length in enumerate(value.shape)]
    return f"{value.dtype} [{', '.join(shape)}]"


def _meaning(error, game):
    """What an exception out of a game's method means, and where in the game's file it came from."""
    said = " ".join(str(error).split())
    meaning = next(
        (meaning for sign, meaning in MEANINGS.items() if sign in said), f"raises {type(error).__name__}: {said[:200]}"
    )
    name = re.search(r"has no attribute '(\w+)'", said)
    home = getattr(sys.modules[type(game).__module__], "__file__", None)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == home]
    where = f" ({Path(home).name}, line {lines[-1]})" if home and lines else ""
    return meaning.replace("{name}", name[1] if name else "") + where


def _game_called(name: str) -> Any:
    """The game that MODULE:CLASS names, made without arguments.

    Raises:
        UserError: if there is none.
    """
    module_name, _, attribute = name.partition(":")
    if not attribute or module_name.endswith(".py"):
        raise UserError(f"{name}: names no class; give MODULE:CLASS, as catch_dqn.game:Catch for catch_dqn/game.py")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise UserError(
            f"{name}: {module_name} cannot be imported ({type(error).__name__}: {error}); mend it, or start this where "
            f"{module_name.replace('.', '/')}.py can be found"
        ) from error
    if not hasattr(module, attribute):
        there = [key for key, value in vars(module).items() if hasattr(value, "step")]
        raise UserError(f"{name}: {module_name} has no {attribute}; its games: {', '.join(there) or 'none'}")
    found = getattr(module, attribute)
    try:
        return found() if isinstance(found, type) else found
    except Exception as error:
        raise UserError(
            f"{name}: cannot be made without arguments ({type(error).__name__}: {error}); give its fields defaults"
        ) from error


def main(argv: list[str]) -> int:
    """Run the command with a list of arguments; returns its exit status."""
    parser = Parser("shared.games.check", "Find what keeps a game from being played and trained.")
    parser.add_argument("game", metavar="MODULE:CLASS", help="the game, as catch_dqn.game:Catch")
    name = parser.parse_args(argv).game
    report = _examine(_game_called(name))
    for line in report.lines:
        print(f"{name}: {line}")
    if report.mistakes:
        return 1
    print(f"{name}: fine, {len(report.checks)} checks")
    return 0


if __name__ == "__main__":
    command(main)
