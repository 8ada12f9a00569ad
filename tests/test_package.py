"""What is installed: exact versions that fit the ranges of pyproject.toml, and a wheel that works in any folder."""

import importlib.metadata
import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import shared

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RANGES = {
    "requirements.txt": PROJECT["dependencies"],
    "requirements-dev.txt": PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"],
}
SYSTEMS = [
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
    {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
]


def lines(name):
    """What a requirements file says, and what the one that it includes says, without comments."""
    for line in (ROOT / name).read_text().splitlines():
        if line.startswith("-r "):
            yield from lines(line.removeprefix("-r "))
        elif not line.startswith("#"):
            yield line


@pytest.mark.parametrize("name", RANGES)
def test_a_requirements_file_holds_exact_versions_and_nothing_else(name):
    for line in lines(name):
        pin = Requirement(line)
        assert [specifier.operator for specifier in pin.specifier] == ["=="], line
        assert not pin.url, line
        assert "*" not in str(pin.specifier), line


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system["sys_platform"])
@pytest.mark.parametrize("name", RANGES)
def test_the_exact_versions_fit_the_ranges_and_lack_nothing(name, system, python):
    here = default_environment() | system | {"python_version": python, "python_full_version": f"{python}.0"}
    pins = {}
    for pin in map(Requirement, lines(name)):
        if pin.marker is None or pin.marker.evaluate(here):
            assert canonicalize_name(pin.name) not in pins, f"{pin.name} stands there twice"
            pins[canonicalize_name(pin.name)] = str(pin.specifier).removeprefix("==")
    wanted, looked_at = [Requirement(line) for line in RANGES[name]], set()
    while wanted:
        requirement = wanted.pop()
        package = canonicalize_name(requirement.name)
        assert package in pins, f"{requirement} is not in {name}; run .ci/pin"
        assert requirement.specifier.contains(pins[package]), f"{requirement}: not {pins[package]}; run .ci/pin"
        for extra in {"", *requirement.extras} - {extra for at, extra in looked_at if at == package}:
            looked_at.add((package, extra))
            needed = map(Requirement, needs(package, pins[package]))
            wanted += [need for need in needed if not need.marker or need.marker.evaluate(here | {"extra": extra})]
    assert ("gymnasium", "box2d") in looked_at


def needs(package, version):
    """What a package requires in turn; known only of the version that is installed, else nothing."""
    try:
        found = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return []
    return found.requires or [] if found.version == version else []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The project's wheel, built from a copy of its files without asking any index."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in ROOT.iterdir():
        if path.name == "tests" or (path / "__init__.py").exists():
            shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(path, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", built, source)
    (found,) = built.iterdir()
    return found


def pip(*arguments):
    """Run pip without an index."""
    command = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PIP_NO_INDEX": "1"})
    assert done.returncode == 0, done.stderr


def test_the_wheel_holds_all_of_the_experiments_and_nothing_else(wheel):
    packages = [path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name != "benchmarks"]
    inside = itertools.chain.from_iterable(package.rglob("*") for package in packages)
    expected = {str(path.relative_to(ROOT)) for path in inside if path.is_file() and "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
        licenses = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
    assert found == expected, "see [tool.setuptools] in pyproject.toml"
    assert "catch_dqn/pretrained/catch/game_weights.h5" in found
    assert licenses


MAKE = """
import sys
import gymnasium
import shared

env = gymnasium.make("catch_dqn:catch_dqn/Catch-v0", render_mode="ansi")
observation, _ = env.reset(seed=1)
print(observation.shape, len(env.render().splitlines()), shared.__file__, shared.__version__, "keras" in sys.modules)
"""


# What the tests set and a user does not: where modules are, and what `conftest.py` says to XLA and TensorFlow.
OURS = ("PYTHONPATH", "XLA_FLAGS", "TF_NUM_INTRAOP_THREADS")


def test_the_installed_wheel_makes_environments_trains_and_plays_in_any_folder(wheel, tmp_path):
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    pip("--python", environment / "bin" / "python", "install", "--no-deps", wheel)
    (site,) = environment.glob("lib/python*/site-packages")
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    (site / "borrowed.pth").write_text("\n".join(borrowed))  # the libraries of the environment that runs the tests
    (tmp_path / "make.py").write_text(MAKE)

    def start(*arguments):
        folder = tmp_path / arguments[-1]
        folder.mkdir()
        return subprocess.Popen(
            [environment / "bin" / "python", *arguments[:-1]],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if name not in OURS},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    started = {
        "make": start("../make.py", "making"),
        "train": start("-m", "catch_dqn.train", "--preset", "tuned", "training"),
        "play": start("-m", "catch_dqn.play", "playing"),
    }
    shown = {}
    for name, child in started.items():
        shown[name], said = child.communicate(timeout=120)
        assert (child.returncode, said) == (0, ""), name
    assert shown["make"].split() == ["(100,)", "10", str(site / "shared" / "__init__.py"), shared.__version__, "False"]
    assert "everything is in runs/" in shown["train"]
    assert int(re.search(r"(\d+) of 80 starts", shown["train"])[1]) > 70  # 76 was the worst of 200 seeds
    assert shown["play"].rstrip().endswith("won 10 of 10")
