"""Puts limits on itself, closes the file system if told so, and becomes another program.

Run by file name with `python -I -S`, from `sandbox.spawn` only, so it imports just the standard
library. A launcher instead of `preexec_fn`: that one runs Python between fork and exec, which can
deadlock in a process with threads, and ours always has some.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
EXIT_CANNOT_START = 127


def main(arguments: list[str]) -> None:
    """`PARENT_PID NAME=LIMIT… [READ=PATH | WRITE=PATH]… -- PROGRAM ARGUMENT…`.

    NAME as in `resource.RLIMIT_NAME`. With a PATH, the program sees no others.
    """
    split = arguments.index("--")
    parent, *settings = arguments[:split]
    command = arguments[split + 1 :]
    _die_with_parent(int(parent))
    paths: dict[str, list[str]] = {"READ": [], "WRITE": []}
    for setting in settings:
        name, _, text = setting.partition("=")
        if name in paths:
            paths[name].append(text)
        else:
            _set_limit(getattr(resource, f"RLIMIT_{name}"), int(text))
    # Python ignores these two, and what is ignored stays so after exec: a program that writes into
    # a closed pipe or past its file size would go on instead of ending.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        if any(paths.values()):
            _confine(paths["READ"], paths["WRITE"])
        os.execvp(command[0], command)  # noqa: S606  an argument list, no shell
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        sys.exit(EXIT_CANNOT_START)


def _confine(readable: list[str], writable: list[str]) -> None:
    # In this process, since a second one like it would cost as much again. Isolated Python does not
    # look for modules beside its script; last in line, ours stand in for none of the standard ones.
    sys.path.append(__file__.rpartition("/")[0])
    importlib.import_module("gdal_confine").confine(readable, writable)


def _set_limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    # At the soft limit of CPU time comes SIGXCPU, which tells what happened; SIGKILL is later.
    wanted = value + 2 if kind == resource.RLIMIT_CPU else value
    ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (min(value, ceiling), ceiling))


def _die_with_parent(parent: int) -> None:
    """Linux kills us when the thread that started us ends; elsewhere the time-out has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call above: nobody would kill us now
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
