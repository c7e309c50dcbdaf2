# SPDX-License-Identifier: Apache-2.0
"""Fixtures for all clients: a broker, and its binary. Nothing is skipped when something is missing."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "test"))
sys.path.insert(0, str(ROOT / "test" / "kafka"))

from klamm import KlammServer  # noqa: E402

# The broker refuses variables of its own prefix that it does not know.
BINARY = os.environ.pop("KLAMM_BINARY", str(ROOT / "build" / "klamm"))


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="many more rounds")


@pytest.fixture(scope="session")
def binary():
    assert os.access(BINARY, os.X_OK), f"{BINARY} is not there: make"
    return BINARY


@pytest.fixture(scope="session")
def is_long(request):
    return request.config.getoption("--long")


@pytest.fixture
def server(binary, tmp_path):
    """Makes brokers that are stopped at the end of the test."""
    made = []

    def make(**settings):
        klamm = KlammServer(binary, directory=tmp_path / f"broker{len(made)}", **settings)
        made.append(klamm)
        return klamm

    yield make
    for klamm in made:
        if klamm.is_running():
            klamm.kill()


@pytest.fixture
def klamm(server):
    broker = server(klamm__admin__listener="127.0.0.1:0").start()
    yield broker
    if broker.is_running():
        broker.stop()
