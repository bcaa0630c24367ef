"""Closes the file system and the network around the process that asks for it, and its children.

Why it is needed: a netCDF-4 file is an HDF5 file, and an HDF5 file may name others (external
storage, external links, virtual datasets). The library opens those without a word: the pixels of
such a "raster" are the bytes of any file that our user can read. Linux's Landlock forbids it.

`sandbox_launcher` imports it without the rest of us, so it imports just the standard library.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterator

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls, the same on every architecture that has Landlock."""
CREATE_RULESET_VERSION = 1
RULE_PATH_BENEATH = 1
PR_SET_NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
FILE_ACCESS_BITS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many kinds of file access each version of Landlock knows; later ones as the last."""
READ_ONLY = EXECUTE | READ_FILE | READ_DIR
ACCESS_OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15
BIND_AND_CONNECT_TCP = 0b11


def landlock_version() -> int:
    """The kernel's version of Landlock; 0: it has none, or we may not use it."""
    version: int = _syscall(CREATE_RULESET, None, ctypes.c_size_t(0), CREATE_RULESET_VERSION)
    return max(version, 0)


def confine(readable: list[str], writable: list[str]) -> None:
    """From now on this process sees only these folders and files, and opens no TCP connection.

    Where the kernel cannot (`landlock_version` is 0), nothing changes.

    Raises:
        OSError: the kernel refuses, and says why.
    """
    version = landlock_version()
    if not version:
        return
    handled = (1 << FILE_ACCESS_BITS_BY_ABI.get(version, 16)) - 1
    with _ruleset(handled, version) as ruleset:
        for path in readable:
            _allow(ruleset, path, READ_ONLY)
        for path in writable:
            _allow(ruleset, path, handled & ~EXECUTE)
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _must(_syscall(RESTRICT_SELF, ruleset, 0))


@contextlib.contextmanager
def _ruleset(handled: int, version: int) -> Iterator[int]:
    # Without network rules (before version 4) the kernel knows a shorter structure.
    fields = (handled, BIND_AND_CONNECT_TCP) if version >= 4 else (handled,)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    size = ctypes.c_size_t(len(attributes))
    ruleset = _must(_syscall(CREATE_RULESET, attributes, size, 0))
    try:
        yield ruleset
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # /lib64 and the like are not everywhere
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            access &= ACCESS_OF_A_FILE
        rule = struct.pack("=Qi", access, handle)
        _must(_syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, rule, 0))
    finally:
        os.close(handle)


def _syscall(number: int, *arguments: object) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    result: int = library.syscall(ctypes.c_long(number), *arguments)
    return result


def _must(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {errno.errorcode.get(code, code)}")
    return result
