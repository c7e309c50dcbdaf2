# SPDX-License-Identifier: Apache-2.0
"""A broker for tests: `klamm serve --ephemeral`, in memory, on a free port, gone with pytest."""

import os
import subprocess
import urllib.request

import pytest


class Broker:
    def __init__(self):
        # KLAMM: where the program is, when it is not in the PATH.
        command = [os.environ.get("KLAMM", "klamm"), "serve", "--ephemeral", "--until-stdin-ends",
                   "--set", "klamm.log.level=WARN",
                   "--set", "log.retention.hours=24"]  # any key of server.properties
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True)
        self.bootstrap_servers = self._process.stdout.readline().strip()
        self._pages = self._process.stdout.readline().strip()
        if not self._pages:
            raise RuntimeError(f"{' '.join(command)} ended with {self._process.wait()}")

    def advance(self, seconds):
        """Lets time pass for the broker, at once."""
        url = f"{self._pages}/clock/advance?ms={int(seconds * 1000)}"
        with urllib.request.urlopen(urllib.request.Request(url, method="POST")) as answer:
            answer.read()

    def stop(self):
        self._process.stdin.close()
        self._process.wait()


@pytest.fixture(scope="session")
def broker():
    """One broker for all tests: let each use topics and groups of its own."""
    broker = Broker()
    yield broker
    broker.stop()


@pytest.fixture
def own_broker():
    """For a test that moves the clock: what others have sent would be old by that."""
    broker = Broker()
    yield broker
    broker.stop()
