"""Hides from this project's modules what Windows does not have; the libraries below them see the system as it is.

`hide()` comes before the first import of them. It is no Windows: it finds what would not even start there.
"""

import builtins
import os
import select
import signal
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("benchmarks", "breakout_dqn", "cartpole_dqn", "catch_dqn", "cave_game", "lunar_pg", "shared", "tabular_rl")
OURS = {*PACKAGES, "__main__", "conftest", *(path.stem for path in (ROOT / "tests").glob("*.py"))}

MODULES = {"curses", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
SIGNALS = {"SIGABRT", "SIGBREAK", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM"}  # that it does have
OF_OS = """
chown chroot confstr ctermid fchdir fchmod fchown fdatasync fork forkpty fpathconf fstatvfs get_blocking getegid geteuid
getgid getgroups getloadavg getpgid getpgrp getpriority getsid getuid initgroups killpg lchown lockf memfd_create mkfifo
mknod nice openpty pathconf pipe2 posix_fadvise posix_fallocate posix_spawn pread pwrite readv register_at_fork
sched_getaffinity sched_setaffinity sched_yield sendfile set_blocking setegid seteuid setgid setgroups setpgid setpgrp
setpriority setsid setuid statvfs sync sysconf tcgetpgrp tcsetpgrp ttyname uname wait wait3 wait4 waitid writev
O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK O_SYNC WNOHANG WUNTRACED WIFEXITED WIFSIGNALED WIFSTOPPED
"""
OF_SIGNAL = """
SIG_BLOCK SIG_SETMASK SIG_UNBLOCK alarm getitimer pause pthread_kill pthread_sigmask setitimer siginterrupt sigpending
sigtimedwait sigwait sigwaitinfo
"""
ATTRIBUTES = {
    os: {*OF_OS.split()},
    select: {"epoll", "poll"},
    signal: {*OF_SIGNAL.split(), *(name for name in vars(signal) if name[:3] == "SIG" and name[3] != "_")} - SIGNALS,
    time: {"clock_gettime", "tzset"},
}
CHANGED = {os: {"name": "nt"}}


class Limited:
    """A module without some of its attributes."""

    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        if name in ATTRIBUTES[self._module]:
            raise AttributeError(f"module {self._module.__name__!r} has no attribute {name!r} on Windows")
        return CHANGED.get(self._module, {}).get(name, getattr(self._module, name))


def hide():
    """From now on."""
    limited = {module.__name__: Limited(module) for module in ATTRIBUTES}
    system_import = builtins.__import__

    def limited_import(name, globals=None, locals=None, fromlist=(), level=0):
        if level == 0 and globals and globals.get("__name__", "").split(".")[0] in OURS:
            if name.split(".")[0] in MODULES:
                raise ModuleNotFoundError(f"No module named {name!r} on Windows", name=name)
            if name in limited:
                return limited[name]
        return system_import(name, globals, locals, fromlist, level)

    builtins.__import__ = limited_import
