"""What every experiment is built from: the engine, the readable loop, files, pictures and the command line."""

from shared import quiet

__version__ = "0.1.0"

quiet.install()
