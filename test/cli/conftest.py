# SPDX-License-Identifier: Apache-2.0
"""A broker for all tests of commands, and a way to run them.

`run.sh BUILD_DIR --against kafka` runs the commands of `any_cli` against a real Kafka 4.4.0."""

import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "test"))
sys.path.insert(0, str(ROOT / "test" / "kafka"))

from kafka_server import KafkaServer  # noqa: E402
from klamm import KlammServer  # noqa: E402

# The broker refuses variables of its own prefix that it does not know.
BINARY = os.environ.pop("KLAMM_BINARY", str(ROOT / "build" / "klamm"))
LIMIT_S = 120


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def pytest_addoption(parser):
    parser.addoption("--against", choices=("klamm", "kafka"), default="klamm",
                     help="whose broker `any_cli` talks to; with kafka no other tests are run")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--against") == "kafka":
        items[:] = [i for i in items if "any_cli" in i.fixturenames]


def until(look, wanted):
    """What a Kafka was told it tells a little later."""
    end = time.monotonic() + LIMIT_S
    while (seen := look()) != wanted and time.monotonic() < end:
        time.sleep(0.05)
    assert seen == wanted


class Done:
    """How a command ended. `line` is what it had to say: exactly one line on stderr."""

    def __init__(self, result):
        self.code = result.returncode
        self.out = result.stdout.decode("utf-8", "surrogateescape")
        self.err = result.stderr.decode("utf-8", "surrogateescape")

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def line(self):
        complaints = self.err.splitlines()
        assert len(complaints) == 1, self.err
        assert complaints[0].startswith("klamm: "), self.err
        return complaints[0]


class Cli:
    def __init__(self, binary, bootstrap):
        self.binary = binary
        self.environment = {**os.environ, "KLAMM_BOOTSTRAP": bootstrap}

    def __call__(self, *words, stdin=b"", env=None):
        if isinstance(stdin, str):
            stdin = stdin.encode()
        result = subprocess.run([self.binary, *map(str, words)], input=stdin, capture_output=True,
                                timeout=LIMIT_S, check=False,
                                env={**self.environment, **(env or {})})
        return Done(result)

    def good(self, *words, **options):
        done = self(*words, **options)
        assert done.code == 0, done.err
        assert done.err == ""
        return done

    def failing(self, *words, code=1, **options):
        done = self(*words, **options)
        assert done.code == code, done.err
        return done.line

    def start(self, *words, **options):
        process = subprocess.Popen([self.binary, *map(str, words)], env=self.environment,
                                   stdin=options.get("stdin", subprocess.DEVNULL),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        end = threading.Timer(LIMIT_S, process.kill)  # so that nobody reads its output for ever
        end.daemon = True
        end.start()
        return process


@pytest.fixture(scope="session")
def binary():
    assert os.access(BINARY, os.X_OK), f"{BINARY} is not there: make"
    return BINARY


@pytest.fixture(scope="session")
def broker(binary, tmp_path_factory):
    with KlammServer(binary, directory=tmp_path_factory.mktemp("broker") / "b",
                     klamm__admin__listener="127.0.0.1:0",
                     group__initial__rebalance__delay__ms=0,
                     group__min__session__timeout__ms=500) as klamm:
        yield klamm


@pytest.fixture
def cli(binary, broker):
    return Cli(binary, broker.bootstrap)


@pytest.fixture(scope="session")
def any_bootstrap(request, tmp_path_factory):
    """Where the broker is that is talked to in tests which know no Klamm."""
    if request.config.getoption("--against") == "klamm":
        yield request.getfixturevalue("broker").bootstrap
    else:
        with KafkaServer(directory=tmp_path_factory.mktemp("kafka"), heap="512m") as kafka:
            yield kafka.bootstrap


@pytest.fixture
def any_cli(binary, any_bootstrap):
    return Cli(binary, any_bootstrap)


@pytest.fixture
def any_topic(request, any_cli):
    name = request.node.name.replace("[", "-").replace("]", "")
    any_cli.good("topic", "create", name, "--partitions", 3)
    until(lambda: any_cli("topic", "offsets", name).code, 0)
    return name


@pytest.fixture
def topic(request, cli):
    """The name of a topic that only this test uses, with three partitions."""
    name = request.node.name.replace("[", "-").replace("]", "").replace(":", "")
    cli.good("topic", "create", name, "--partitions", 3)
    return name
