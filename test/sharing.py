# SPDX-License-Identifier: Apache-2.0
"""What processes on one machine share when several run tests: ports, and what is made in build/."""

import contextlib
import fcntl
import pathlib
import socket

BUILD = pathlib.Path(__file__).resolve().parent.parent / "build"
HOST = "127.0.0.1"


class HeldPort:
    """The kernel gives `number` to nobody who asks for any port, while this lives. A server that sets
    SO_REUSEADDR, as servers do, may listen at it, end, and come again."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((HOST, 0))
        self.number = self.socket.getsockname()[1]

    def __del__(self):
        self.socket.close()


@contextlib.contextmanager
def one_at_a_time(name):
    """Those who would make the same thing in build/ wait for each other."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
