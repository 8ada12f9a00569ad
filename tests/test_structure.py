"""The arrows between the rooms of the house point one way."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXPERIMENTS = {"catch_dqn", "cave_game", "cartpole_dqn", "lunar_pg", "tabular_rl"}
FILES = [path for package in (*sorted(EXPERIMENTS), "shared") for path in sorted((ROOT / package).rglob("*.py"))]
# Wings of `shared/` from the ground up: each may import those below it, not those beside it.
FLOORS = [{"games", "nn"}, {"rollouts", "model_files"}, {"dqn"}, {"runs", "display"}, {"commands"}, {"study"}, {"tune"}]
GROUND = {
    "arrays",
    "compile_cache",
    "errors",
    "files",
    "late",
    "machine",
    "names",
    "options",
    "pace",
    "quiet",
    "signals",
}  # files of `shared/` that everybody uses
NAMES = {"storage", "legacy"}  # documented names for what is in `model_files`
TOP = {"__init__", "__main__", "learn"}  # programs, and what is for Python programs: they stand on top
COMMANDS = {"games/check.py"}  # commands that stand with what they are about, as if they stood in `commands`
TYPED = (  # folders and files whose public signatures are annotated
    *(
        "shared/commands/exports",
        "shared/display/web",
        "shared/dqn",
        "shared/games",
        "shared/model_files",
        "shared/nn",
        "shared/rollouts",
        "shared/study",
        "shared/tune",
        "tabular_rl",
    ),
    *(f"shared/{name}.py" for name in sorted(GROUND)),
)
RULES = {"game.py", "ball_game.py", "physics.py"}  # the modules that hold a game's rules


def imports(path):
    """Top names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_the_right_way(path):
    found = set(imports(path))
    package = path.relative_to(ROOT).parts[0]
    if path.relative_to(ROOT) != Path("shared/nn/backend.py"):
        assert "tensorflow" not in found
    if package == "shared":
        assert not found & EXPERIMENTS
    else:
        assert found & EXPERIMENTS <= {package}
    assert not found & {"tests", "benchmarks"}
    if path.name in RULES and package != "shared":
        assert found <= set(sys.stdlib_module_names), "a game is handed its array namespace"


def wings_imported(path):
    """The wings and files of `shared/` that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[1] for name in node.names if name.name.startswith("shared."))
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "late":
            module = node.args[0].value.split(".")
            yield from module[1:2] if module[0] == "shared" else []
        elif isinstance(node, ast.ImportFrom) and node.module == "shared":
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("shared."):
            yield node.module.split(".")[1]


@pytest.mark.parametrize("path", sorted((ROOT / "shared").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_between_the_wings_point_down(path):
    within = path.relative_to(ROOT / "shared")
    wing = "commands" if str(within) in COMMANDS else within.parts[0]
    found = set(wings_imported(path)) - GROUND - {wing}
    if path.stem in NAMES | TOP:
        return
    floor = next((number for number, wings in enumerate(FLOORS) if wing in wings), 0)
    below = set().union(*FLOORS[:floor]) | (NAMES if "model_files" in set().union(*FLOORS[:floor]) else set())
    assert found <= below


def test_nobody_imports_a_command_that_stands_with_what_it_is_about():
    modules = {f"shared.{name.removesuffix('.py').replace('/', '.')}" for name in COMMANDS}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            named = {alias.name for alias in node.names} if isinstance(node, (ast.Import, ast.ImportFrom)) else set()
            if isinstance(node, ast.ImportFrom):
                named = {node.module, *(f"{node.module}.{name}" for name in named)}
            assert not named & modules, path


def test_every_package_is_looked_at():
    assert len(FILES) > 20


def bare_signatures(body, within=""):
    """The public functions and methods in a module or a class whose arguments or result are not annotated."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from bare_signatures(node.body, f"{within}{node.name}.")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            given = node.args
            arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            bare = any(one and not one.annotation and one.arg not in ("self", "cls") for one in arguments)
            if (bare or node.returns is None) and (node.name == "__init__" or not node.name.startswith("_")):
                yield f"{within}{node.name}, line {node.lineno}"


@pytest.mark.parametrize("place", TYPED)
def test_what_is_public_is_annotated(place):
    files = [ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py"))
    assert files
    for path in files:
        assert not list(bare_signatures(ast.parse(path.read_text()).body)), path


def test_a_signature_without_types_is_noticed():
    source = """
def fine(a: int, *rest: int, **more: int) -> None: ...
def _private(a): ...
def no_result(a: int): ...
def no_argument(a) -> None: ...
def no_rest(*rest) -> None: ...
class Thing:
    def __init__(self, a): ...
    def __len__(self): ...
    def method(self, *, a) -> None: ...
    @classmethod
    def make(cls) -> None: ...
"""
    found = [line.split(",")[0] for line in bare_signatures(ast.parse(source).body)]
    assert found == ["no_result", "no_argument", "no_rest", "Thing.__init__", "Thing.method"]
