"""Runs the HDF5 child's work on many files in forks of one process, to save the start of Python for each.

    python tests/hdf5_many.py MEMORY SECONDS FILE...

Writes for each file a line `<exit status> <length>` and the answer's bytes on stdout. The status of a fork that was
killed by a signal is negative.
"""

import os
import sys
from pathlib import Path

import h5py  # noqa: F401  imported before the forks

sys.path.insert(0, str(Path(__file__).parent.parent))
from shared.model_files import hdf5_child

memory, seconds, *paths = sys.argv[1:]
for path in paths:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        hdf5_child.limit_this_process(int(memory), int(seconds))
        with open(writer, "wb") as out:
            out.write(hdf5_child.answer(Path(path).read_bytes()))
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        said = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.stdout.buffer.write(f"{status} {len(said)}\n".encode() + said)
