"""What every experiment is built from: the engine, the readable loop, files, pictures and the command line."""

from shared import compile_cache, quiet

__version__ = "0.1.0"

compile_cache.switch_on()
quiet.install()
