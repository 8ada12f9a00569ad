"""Games on a page: rules and network in JavaScript against those in Python, in the system's Chromium; the server."""

import base64
import dataclasses
import functools
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import types
import urllib.error
import urllib.request
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

import cartpole_dqn.experiment
import catch_dqn.experiment
import cave_game.experiment
import cave_game.export
import lunar_pg.experiment
from catch_dqn import export, play
from catch_dqn.ball_game import CatchBall
from catch_dqn.game import Catch
from cave_game.game import Cave
from cave_game.game2017 import Cave2017
from cave_game.networks import recurrent
from shared.commands import on_page
from shared.commands.play import PlaySettings
from shared.commands.trained import Trained
from shared.display.web import part, server
from shared.display.web.match import Match, Table
from shared.display.web.network import ACTIVATIONS, CLASSES, network_data
from shared.dqn.learners.categorical import Categorical
from shared.dqn.learners.quantile import Quantile
from shared.dqn.settings import Settings
from shared.errors import UserError
from shared.nn.networks import dense, fitting

ROOT = Path(__file__).parent.parent
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
GAMES = {
    name: (suite.package, suite.experiments[name])
    for suite in (catch_dqn.experiment.SUITE, cave_game.experiment.SUITE)
    for name in suite.experiments
}


@pytest.fixture(scope="module")
def chromium():
    """The system's browser."""
    if BROWSER is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        root = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        browser = playwright.chromium.launch(executable_path=BROWSER, args=root)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """An empty page. Nothing may go wrong on it unseen."""
    page, wrong = chromium.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    yield page
    page.close()
    assert not wrong


def with_scripts(page, *texts):
    page.goto("about:blank")
    for text in texts:
        page.add_script_tag(content=text)
    return page


@pytest.mark.parametrize("seed", [0, 7, 2**31 - 1, [3, 1]])
def test_draws_are_those_of_numpy(page, seed):
    drawn = with_scripts(page, part("draws.js")).evaluate("seed => new Draws(seed).take(1000)", seed)
    assert drawn == np.random.default_rng(seed).random(1000, dtype=np.float32).tolist()


# Plays games of given draws and actions; of each step what is there, and what is observed as float32 in base64.
PLAY = """
([options, games]) => {
  const text = (floats) => btoa(String.fromCharCode(...new Uint8Array(floats.buffer)));
  const made = new RULES(options);
  return JSON.stringify(games.map(({ draws, actions }) => {
    const given = new GivenDraws(draws);
    let state = made.reset(given.take(made.resetDraws));
    const steps = [{ state, seen: text(made.observe(state)) }];
    for (const action of actions) {
      const step = made.step(state, action, given.take(made.stepDraws));
      state = step.state;
      steps.push({ ...step, seen: text(made.observe(state)) });
    }
    return steps;
  }));
}
"""


@pytest.mark.parametrize(
    ("name", "game", "steps", "games"),
    [
        ("catch", Catch("tutorial"), 9, 30),
        ("catch", Catch("all"), 9, 30),
        ("ball8", CatchBall(8, "tutorial"), 200, 3),
        ("ball16", CatchBall(16, "all"), 200, 3),
        ("cave", Cave(), 250, 4),
        ("cave", Cave("columns"), 250, 4),
        ("cave2017", Cave2017("columns", True, "crash"), 250, 4),
        ("cave2017", Cave2017("published", True, "crash"), 90, 4),
        ("cave2017", Cave2017("halved", False, "survival"), 250, 4),
    ],
    ids=str,
)
def test_rules_in_the_browser_are_those_of_python(page, name, game, steps, games):
    rng = np.random.default_rng(len(name) + steps)
    _, experiment = GAMES[name]
    settings = dataclasses.replace(
        experiment.first_settings,
        **{
            field: getattr(game, field)
            for field in ("starts", "observation", "quirks", "reward")
            if hasattr(game, field)
        },
    )
    rules = experiment.browser_rules(settings)
    given, expected = [], []
    for number in range(games):
        draws = rng.random(game.reset_draws + steps * game.step_draws, dtype=np.float32)
        actions = rng.integers(game.num_actions, size=steps)
        if number % 3 == 0:
            actions = np.arange(steps) % 2  # a level flight
        given.append({"draws": draws.tolist(), "actions": actions.tolist()})
        state = game.reset(np, draws[None, : game.reset_draws])
        seen = [(state, None, None)]
        for step, action in enumerate(actions):
            start = game.reset_draws + step * game.step_draws
            seen.append(game.step(np, state, np.int32([action]), draws[None, start : start + game.step_draws]))
            state = seen[-1][0]
        expected.append(seen)
    scripts = (part("draws.js"), (ROOT / GAMES[name][0] / rules.script).read_text())
    played = with_scripts(page, *scripts).evaluate(PLAY.replace("RULES", rules.name), [rules.options, given])
    endings = set()
    for theirs, ours in zip(json.loads(played), expected, strict=True):
        for there, (state, reward, terminated) in zip(theirs, ours, strict=True):
            assert there["state"] == {field: value[0].tolist() for field, value in state._asdict().items()}
            observed = np.frombuffer(base64.b64decode(there["seen"]), "<f4")
            np.testing.assert_array_equal(observed, game.observe(np, state)[0].ravel())
            if reward is not None:
                assert (there["reward"], there["terminated"]) == (reward[0], terminated[0])
                endings.add(bool(terminated[0]))
    assert endings == {False, True}


def values_in(page, model, observations):
    data = network_data(model, "page.html")
    with_scripts(page, part("network.js"))
    found = page.evaluate(
        "([data, seen]) => seen.map((s) => Array.from(new Network(data).values(new Float32Array(s))))",
        [data, [observation.ravel().tolist() for observation in observations]],
    )
    return np.array(found)


def convolutions():
    """A network with what the agents of this project have none of."""
    inputs = keras.Input((9, 7))
    x = keras.layers.Rescaling(0.5, 0.1)(inputs)
    x = keras.layers.Reshape((9, -1, 1))(x)
    x = keras.layers.Conv2D(4, (3, 2), (2, 3), "same", activation="tanh", use_bias=False)(x)
    x = keras.layers.Conv2D(3, 2, 1, "valid", activation="sigmoid")(x)
    x = keras.layers.Dense(5, activation="softmax")(x)
    x = keras.layers.Activation("elu")(keras.layers.Dropout(0.5)(x))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))


def with_head(learner):
    settings = Settings(atoms=7)
    made = learner(settings)
    return made.head(dense((6,), made.outputs(3), (8,), 1), 3)


NETWORKS = {
    "convolutions": convolutions,
    "picture": lambda: fitting((12, 12, 3), 4, (16,), 1, "elu"),
    "normalized": lambda: fitting((12, 12, 3), 4, (16,), 1, "elu", layer_norm=True),
    "dueling-max": lambda: dense((6,), 3, (8, 8), 1, dueling="max"),
    "dueling-mean": lambda: dense((6,), 3, (8, 8), 1, "tanh", dueling="mean"),
    "quantile": lambda: with_head(Quantile),
    "categorical": lambda: with_head(Categorical),
}


@functools.cache
def loaded(name):
    """The agent of a game that comes with the project."""
    package, experiment = GAMES[name]
    settings = experiment.presets["tuned"]
    model = experiment.model(settings)
    weights = ROOT / package / "pretrained" / name / "game_weights.h5"
    model.load_weights(weights)
    return Trained(experiment, settings, weights, None, lambda: model)


@pytest.mark.parametrize("name", [*NETWORKS, "catch", "ball8", "ball16", "cave"])
def test_values_in_the_browser_are_those_of_keras(page, name):
    model = NETWORKS[name]() if name in NETWORKS else loaded(name).model
    rng = np.random.default_rng(1)
    if name in NETWORKS:
        model.set_weights([rng.normal(0, 0.3, weight.shape) for weight in model.get_weights()])
    observations = rng.random((4, *model.input_shape[1:]), dtype=np.float32)
    expected = np.asarray(model(observations))
    np.testing.assert_allclose(values_in(page, model, observations), expected, rtol=1e-5, atol=1e-5)


def test_a_page_refuses_to_normalize_along_other_axes():
    inputs = keras.Input((6, 6, 2))
    normal = keras.layers.LayerNormalization(axis=(1, 2), name="planes")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(normal)))
    with pytest.raises(UserError, match=r"agent.html: .*last axis.*planes.*1, 2"):
        network_data(model, "agent.html")


def test_python_knows_what_the_page_can_compute(page):
    with_scripts(page, part("network.js"))
    assert page.evaluate("Object.keys(LAYERS)") == list(CLASSES)
    assert page.evaluate("Object.keys(ACTIVATIONS)") == list(ACTIVATIONS)


def test_a_network_that_no_page_computes_is_refused():
    with pytest.raises(UserError, match=r"cave.html: a page computes no (Permute|TimeDistributed|LSTM)"):
        network_data(recurrent((4, 16, 16), 2, (4,), 0), "cave.html")


def exported(name, folder, monkeypatch):
    """The path of a page of the agent that comes with the project."""
    monkeypatch.chdir(folder)  # where no run is newer
    main = {"catch_dqn": export.main, "cave_game": cave_game.export.main}[GAMES[name][0]]
    assert main(["--game", name, "--web", f"{name}.html"]) == 0
    return folder / f"{name}.html"


# Plays a whole game as the page does, at its own table.
GAME = """
async ([options, seed, epsilon, steps]) => {
  const table = new LocalTable(DATA, new RULES(options));
  const frames = [(await table.start(seed, ["agent"])).agent];
  while (!frames.at(-1).over && frames.length <= steps) frames.push((await table.step(0, epsilon)).agent);
  const coloured = ({ cells, colours }) => Array.from(cells, (kind) => colours[kind]);
  return JSON.stringify(frames.map((frame) => ({ ...frame, picture: coloured(frame.picture) })));
}
"""


def table_of(trained, **options):
    """What `play --web` plays with."""
    experiment = trained.experiment
    return Table(
        lambda: experiment.env(trained.settings, render_mode="rgb_array", **options),
        experiment.policy(trained.model, False, 0),
        experiment.outlook(trained.model),
        experiment.adviser(trained.settings),
        experiment.stage(),
    )


@pytest.mark.parametrize(
    ("name", "seed", "steps"), [("catch", 4, 9), ("ball8", 3, 60), ("ball16", 5, 40), ("cave", 2, 60)]
)
def test_an_exported_page_plays_the_games_of_python(chromium, tmp_path, monkeypatch, name, seed, steps):
    trained = loaded(name)
    path = exported(name, tmp_path, monkeypatch)
    rules = trained.experiment.browser_rules(trained.settings)
    page, asked = chromium.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    frames = json.loads(page.evaluate(GAME.replace("RULES", rules.name), [rules.options, seed, 0.2, steps]))
    page.close()
    assert asked == [path.as_uri()]  # nothing is loaded
    match = Match(table_of(trained), seed, ["agent"])
    random = set()
    for number, frame in enumerate(frames):
        if number:
            match.step(0, 0.2)
        board = match.boards["agent"]
        ours = board.frame()
        for field in ("action", "random", "score", "length", "over", "verdict"):
            assert frame[field] == ours[field]
        random.add(frame["random"])
        np.testing.assert_allclose(frame["values"], ours["values"], rtol=1e-5, atol=1e-5)
        picture = board.env.render()
        side = int(len(frame["picture"]) ** 0.5)
        size = len(picture) // side
        np.testing.assert_array_equal(picture[size // 2 :: size, size // 2 :: size].reshape(-1, 3), frame["picture"])
    assert random == {False, True}
    match.close()


def test_the_page_in_the_docs_is_what_the_command_makes(tmp_path, monkeypatch):
    made, kept = exported("catch", tmp_path, monkeypatch).read_bytes(), (ROOT / "docs/play/catch.html").read_bytes()
    assert made == kept, "cd docs/play && python -m catch_dqn.export --web catch.html"
    assert len(kept) < 300_000


def choose(page, mode):
    page.locator(f"#modes label:has(input[value={mode}])").click()


def bars(page, player):
    return [
        float(value)
        for value in page.locator(f"#{player} .values li").evaluate_all("e => e.map((x) => x.dataset.value)")
    ]


def test_a_person_plays_an_exported_page_by_keys(page, tmp_path, monkeypatch):
    page.goto(exported("catch", tmp_path, monkeypatch).as_uri())
    choose(page, "both")
    page.locator("#hint:has-text('Press a key to begin')").wait_for()
    page.locator("#seed").fill("4")
    page.locator("#seed").blur()
    page.locator("#run").click()  # by hand, step after step
    game, draws = Catch("all"), np.random.default_rng(4).random((1, 2), dtype=np.float32)
    state, model = game.reset(np, draws), loaded("catch").model
    for length, (key, action) in enumerate([("ArrowLeft", 0), ("l", 2), ("ArrowRight", 2), (None, 1)], 1):
        if key:
            page.keyboard.press(key)
        page.keyboard.press("s")
        page.locator(f"#person[data-length='{length}'], #agent[data-length='{length}']").first.wait_for()
        state, _, _ = game.step(np, state, np.int32([action]), np.zeros((1, 0)))
        np.testing.assert_allclose(bars(page, "person"), model(game.observe(np, state))[0], rtol=1e-5, atol=1e-5)
    for _ in range(5):
        page.locator("#step").click()
    page.locator("#person[data-over=true]").wait_for()
    assert page.locator("#agent h2 span").inner_text() == "winner!"
    assert page.locator("#person h2 span").inner_text() in ("winner!", "loser!")
    assert "You 0" in page.locator("#hint").inner_text()
    page.locator("#step").click()  # the next game
    page.locator("#person[data-length='0']").wait_for()
    assert page.locator("#seed").input_value() == "5"


def test_a_page_fits_a_phone(chromium, tmp_path, monkeypatch):
    page = chromium.new_page(viewport={"width": 320, "height": 640})
    page.goto(exported("catch", tmp_path, monkeypatch).as_uri())
    for mode in ("agent", "person", "both"):
        choose(page, mode)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
    left = page.locator(".touch button").first
    left.click()
    page.locator("#person .last:has-text('left')").wait_for()
    page.close()


@pytest.fixture
def serving(monkeypatch):
    """A function that serves a trained agent's page in a thread: its `Server`."""
    made = []

    def serve(trained, **options):
        served = server.Server.run
        threads = []

        def run(self):
            made.append(self)
            threads.append(threading.Thread(target=served, args=(self,)))
            threads[0].start()

        monkeypatch.setattr(server.Server, "run", run)
        on_page.serve(trained, PlaySettings(**options), False, server.listen(0))
        made[-1].thread = threads[0]
        return made[-1]

    yield serve
    for one in made:
        one.stop()
        one.thread.join(20)
        assert not one.thread.is_alive()


def test_the_page_of_a_program_has_its_values_its_keys_and_its_pictures(page, serving):
    trained = loaded("catch")
    page.goto(serving(trained, seed=4).address)
    page.locator("#agent[data-over=true]").wait_for()
    assert page.locator("#agent h2 span").inner_text() == "winner!"
    choose(page, "person")
    page.locator("#person[data-length='0']").wait_for()
    page.locator("#run").click()
    page.locator("#seed").fill("4")
    page.locator("#seed").blur()
    match = Match(table_of(trained), 4, ["person"])
    for length, (key, action) in enumerate([("ArrowLeft", 0), ("l", 2), (None, 1)], 1):
        if key:
            page.keyboard.press(key)
        page.locator("#step").click()
        page.locator(f"#person[data-length='{length}']").wait_for()
        match.step(action, 0.0)
        board = match.boards["person"]
        np.testing.assert_allclose(bars(page, "person"), board.frame()["values"], rtol=1e-5, atol=1e-5)
        shown = page.locator("#person canvas").evaluate("canvas => canvas.toDataURL().split(',')[1]")
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown))).convert("RGB"))
        np.testing.assert_array_equal(picture, board.env.render())
    page.locator("#epsilon").fill("1")
    assert page.locator("output[for=epsilon]").inner_text() == "100 %"
    choose(page, "agent")
    page.locator("#step").click()
    page.locator("#agent .last:has-text('(random)')").wait_for()


def ask(address, data=None, **headers):
    """The status of an answer, and its text."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps(data).encode() if isinstance(data, dict) else data
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, given), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_who_may_ask_the_server_and_what(serving):
    served = serving(loaded("catch"))
    address, port = served.address, served.port
    own = {"Origin": f"http://127.0.0.1:{port}"}
    status, text = ask(address)
    assert status == 200
    assert "Catch on a 10x10 grid" in text
    assert ask(address, Host=f"localhost:{port}")[0] == 200
    for other in (
        f"http://127.0.0.1:{port}/",
        f"http://127.0.0.1:{port}/wrong/",
        f"{address}config.json",
        f"{address}../x",
    ):
        assert ask(other) == (404, "There is nothing here.")
    assert ask(address, Host="evil.example") == (404, "There is nothing here.")  # a name that leads to this machine
    match = {"seed": 1, "players": ["agent"]}
    for origin in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        assert ask(f"{address}start", match, **origin)[0] == 403
    status, text = ask(f"{address}start", match, **own)
    assert status == 200
    name = json.loads(text)["match"]
    step = {"match": name, "person": 0, "epsilon": 0}
    assert ask(f"{address}step", step, **own)[0] == 200
    for wrong in ({"person": 3}, {"person": True}, {"person": "0"}, {"epsilon": 2}, {"epsilon": None}):
        assert ask(f"{address}step", step | wrong, **own)[0] == 400
    for wrong in ({"seed": -1}, {"seed": 1.5}, {"players": ["agent", "agent"]}, {"players": "agent"}, {"players": []}):
        assert ask(f"{address}start", match | wrong, **own)[0] == 400
    for body, status in ((b"[]", 400), (b"{", 400), (b"\xff", 400), (b"[" * 4000, 400), (b" " * 5000, 413)):
        assert ask(f"{address}step", body, **own)[0] == status
    for _ in range(server.MATCHES):
        assert ask(f"{address}start", match, **own)[0] == 200
    assert ask(f"{address}step", step, **own)[0] == 410  # the oldest made room


def test_browsers_do_not_name_the_port_of_every_web_server():
    listener = types.SimpleNamespace(getsockname=lambda: ("127.0.0.1", 80))
    served = server.Server("", None, 2, listener)
    assert served.address.startswith("http://127.0.0.1/")
    asked = types.SimpleNamespace(
        path_params={"path": served.address.split("/", 3)[3]}, headers={"host": "127.0.0.1"}, method="GET"
    )
    served._check(asked)


@pytest.mark.parametrize(
    "experiment",
    [
        cartpole_dqn.experiment.EXPERIMENTS["dqn"],
        lunar_pg.experiment.EXPERIMENTS["lunar"],
        lunar_pg.experiment.EXPERIMENTS["cartpole"],
        cave_game.experiment.EXPERIMENTS["cave2017"],
    ],
    ids=lambda experiment: experiment.title,
)
def test_every_game_can_be_on_a_page(experiment):
    settings = experiment.presets["tuned"]
    model = experiment.model(settings)
    trained = Trained(experiment, settings, Path("weights.h5"), None, lambda: model)
    match = Match(
        dataclasses.replace(table_of(trained), stage=experiment.stage() or on_page.any_stage(2)), 1, ["agent", "person"]
    )
    first = match.frames()
    assert first["agent"] == first["person"]  # the same draws
    assert first["agent"]["picture"]["png"].startswith("data:image/png;base64,")
    match.step(1, 0.0)
    values = match.frames()["agent"]["values"]
    assert len(values) == match.boards["agent"].env.action_space.n
    if experiment.draws_actions:
        assert sum(values) == pytest.approx(1)
    match.close()


def test_the_command_serves_and_ends_with_ctrl_c(tmp_path):
    command = [sys.executable, "-m", "catch_dqn.play", "--web", "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout.readline().startswith("agent: ")
        address = started.stdout.readline().split()[1]
        assert ask(address)[0] == 200
        started.send_signal(2)
        _, errors = started.communicate(timeout=60)
    assert started.returncode == 130
    assert errors == ""


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--port", "8000"], "--port 8000: is of the page that --web makes; add --web"),
        (["--web", "--human"], "--human: games are shown on the page; leave out --web or this"),
        (["--web", "--gif", "a.gif"], "--gif: games are shown on the page; leave out --web or this"),
        (["--web", "--episodes", "3"], "--episodes 3: a page goes on for as long as you like; leave it out"),
        (["--web", "--port", "70000"], "--port 70000: give a number from 0 to 65535"),
    ],
)
def test_flags_of_a_page_that_do_not_go_together(flags, complaint):
    with pytest.raises(UserError) as error:
        play.main(flags)
    assert str(error.value) == complaint


def test_a_port_that_is_taken_and_a_library_that_is_missing(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"--port {port}: .* in use; give another one, or 0 for any that is free"):
            play.main(["--web", "--port", str(port)])
    monkeypatch.setattr(on_page, "is_installed", lambda name: name != "uvicorn")
    with pytest.raises(UserError, match=r'--web: uvicorn not installed; pip install "\.\[web\]"'):
        play.main(["--web"])


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ([], "nothing to write; give one of --web, --onnx"),
        (["--web", "catch.txt"], "--web catch.txt: give a name that ends in .html"),
        (["--web", "nowhere/catch.html"], "nowhere"),
    ],
)
def test_an_export_that_cannot_be_made(flags, complaint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=complaint):
        export.main(flags)
    assert not list(tmp_path.iterdir())


def test_a_name_in_the_data_ends_no_script(page):
    from shared.display.web import page as build

    title = "</script><script>alert(1)</script> & <b>"
    text = build(title=title, about="", footer="", data={"name": title}, scripts=["document.title = DATA.name;"])
    page.set_content(text)
    assert page.title() == title
    assert page.locator("h1").inner_text() == title
