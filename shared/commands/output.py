"""Standard output and standard error that cannot cost the work: what cannot be printed is left out.

On a full disk, on a closed stream, in an encoding without the letters, a program prints what it can and goes on; its
exit status says in the end that something is missing.
"""

import codecs
import contextlib
import io
import os
import sys
import types
from collections.abc import Iterator

from shared import files
from shared.errors import program

PLAIN = {"±": "+-", "×": "x", "→": "->", "µ": "u", "–": "-", "—": "-", "…": "..."}  # in place of what ASCII has not


class _Stream(io.FileIO):
    """An open descriptor to which writing fails once at most; after that what is written is dropped.

    A pipe whose reader went away ends a program (`BrokenPipeError`), as everybody expects of `| head`, unless it is
    `patient`.
    """

    failure: OSError | None = None  # the first one
    patient = False

    def write(self, data):
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure = error
                if isinstance(error, BrokenPipeError) and not self.patient:
                    raise
        return len(data)


def make_safe() -> None:
    """Put safe streams in the place of `sys.stdout` and `sys.stderr`.

    Descriptors that were closed are opened on nothing, lest the next file that is opened gets their numbers and with
    them what native code writes.
    """
    codecs.register_error("plain", _in_plain_letters)
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number: this one
    # By name: type checkers take `sys.__stdout__` for a constant.
    for number, name in ((1, "stdout"), (2, "stderr")):
        safe = _safe(getattr(sys, name), number)
        setattr(sys, name, safe)
        setattr(sys, f"__{name}__", safe)
    _raw(sys.stderr).patient = True


def _safe(stream, number):
    """A safe stream that is otherwise like `stream`."""
    if stream is None:  # it was closed; the descriptor of this number may be another file by now
        return open(os.devnull, "w", encoding="utf-8")
    buffer = stream.buffer
    if type(getattr(buffer, "raw", buffer)) is not io.FileIO:  # a console of Windows, say
        stream.reconfigure(errors="plain")
        return stream
    raw = _Stream(number, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw) if hasattr(buffer, "raw") else raw,
        encoding=stream.encoding,
        errors="plain",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _raw(stream):
    """The `_Stream` below a safe stream; below another one something that knows of no failure."""
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return raw if isinstance(raw, _Stream) else types.SimpleNamespace(failure=None, patient=False)


def _in_plain_letters(error):
    """What is printed in place of the letters that an encoding has not (an error handler of `codecs`)."""
    letters = error.object[error.start : error.end]
    return "".join(PLAIN.get(c, c.encode("unicode_escape").decode()) for c in letters), error.end


def finish(status: int | str) -> int | str:
    """Write what is still to be written; returns the exit status, 1 where it was 0 and output is missing."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return status or 1
    failure = _raw(sys.stdout).failure
    if failure is None:
        return status
    if not isinstance(failure, BrokenPipeError):
        print(f"{program()}: {files.user_error('standard output', failure)}", file=sys.stderr)
    return status or 1


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """Within this block a reader of standard output who goes away does not end the program: the work goes on."""
    raw = _raw(sys.stdout)
    before, raw.patient = getattr(raw, "patient", False), True
    try:
        yield
    finally:
        raw.patient = before
