"""What `benchmarks/processes.py` starts: measures what it is told to, and imports nothing before that.

Reads requests on stdin, a line of JSON each, and answers each with a line of JSON on stdout.
"""

import importlib
import json
import os
import signal
import sys
from typing import Any


def main() -> None:
    """Answer until the parent goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    timers: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "about" in request:
                answer = {"about": find(request["about"])()}
            else:
                key = json.dumps(request)
                if key not in timers:
                    timers[key] = find(request["makes"])(*request["arguments"])
                answer = {"seconds": timers[key]()}
        except Exception as error:  # a library that is not there, or has changed: the parent says so
            words = str(error).splitlines() or [""]
            answer = {"missing": f"{type(error).__name__}: {words[0]}"}
        print(json.dumps(answer), file=answers, flush=True)


def find(name: str) -> Any:
    """What `"module:function"` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


if __name__ == "__main__":
    main()
