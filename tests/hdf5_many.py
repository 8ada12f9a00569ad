"""Does the HDF5 child's work on many files in forks of one process, to save the start of Python for each.

    python tests/hdf5_many.py MEMORY SECONDS

Takes files on stdin, each as a line with its length and then its bytes, and writes for each a line
`<exit status> <length>` and the answer's bytes on stdout. The status of a fork that was killed by a signal is negative.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from shared.errors import UserError
from shared.model_files import hdf5_child


class Parser:
    """The program as a context; `parse` does what `shared.model_files.hdf5.parse` does, in a few milliseconds."""

    def __init__(self, cpu_seconds):
        self.cpu_seconds = cpu_seconds

    def __enter__(self):
        from shared.model_files import hdf5

        self.hdf5 = hdf5
        program = [sys.executable, __file__, str(hdf5.CHILD_MEMORY), str(self.cpu_seconds)]
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def parse(self, data, path):
        """A `WeightsFile`. Raises `UserError` when the file is refused or the fork did not survive it."""
        if not data.startswith(self.hdf5.SIGNATURE):
            raise UserError(f"{path}: not an HDF5 file; choose another")
        self.process.stdin.write(f"{len(data)}\n".encode() + data)
        self.process.stdin.flush()
        status, length = map(int, self.process.stdout.readline().split())
        answer = self.process.stdout.read(length)
        if status != 0:
            raise UserError(f"{path}: the child ended with {status}")
        return self.hdf5.read_answer(answer, path)


def main(memory, seconds):
    """Serve until stdin ends."""
    import h5py  # noqa: F401  before the forks

    while line := sys.stdin.buffer.readline():
        data = sys.stdin.buffer.read(int(line))
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            hdf5_child.limit_this_process(int(memory), int(seconds))
            with open(writer, "wb") as out:
                out.write(hdf5_child.answer(data))
            os._exit(0)
        os.close(writer)
        with open(reader, "rb") as pipe:
            said = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.stdout.buffer.write(f"{status} {len(said)}\n".encode() + said)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
