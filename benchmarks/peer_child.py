"""What `benchmarks/peers.py` starts: trains Stable-Baselines3's DQN, and knows neither Keras nor TensorFlow.

Reads requests on stdin, a line of JSON each, and answers each with a line of JSON on stdout.
"""

import importlib
import json
import os
import signal
import sys
import time


def main():
    """Answer until the parent goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    agents = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "threads" in request:
            answer = begin(request["threads"])
        elif "steps" in request:
            answer = train(agents[request["name"]], request["steps"])
        else:
            agents[request["name"]] = make(request)
            answer = {}
        print(json.dumps(answer), file=answers, flush=True)


def begin(threads):
    """Import the libraries and say what they are; `threads` of PyTorch, None: as many as it takes itself."""
    try:
        import stable_baselines3
        import torch
    except ImportError as error:
        return {"missing": str(error)}
    if threads is not None:
        torch.set_num_threads(threads)
    return {
        "about": f"Stable-Baselines3 {stable_baselines3.__version__} on PyTorch {torch.__version__} "
        f"(threads: {torch.get_num_threads()})"
    }


def make(request):
    """The agent that a request of `Peer.make` describes."""
    import gymnasium
    import torch
    from stable_baselines3 import DQN
    from stable_baselines3.common.env_util import make_vec_env

    package, slash, _ = request["env"]["id"].partition("/")
    if slash:
        importlib.import_module(package)  # registers its environments
    optimizer = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[request["optimizer"]]
    return DQN(
        "MlpPolicy",
        make_vec_env(lambda: gymnasium.make(**request["env"]), request["games"]),
        policy_kwargs={"net_arch": request["hidden"], "optimizer_class": optimizer},
        device="cpu",
        **request["options"],
    )


def train(agent, steps):
    """Train on for `steps` environment steps, or a few more; returns how many they were and the seconds they took."""
    before, began = agent.num_timesteps, time.perf_counter()
    agent.learn(steps, reset_num_timesteps=False)
    return {"seconds": time.perf_counter() - began, "steps": agent.num_timesteps - before}


if __name__ == "__main__":
    main()
