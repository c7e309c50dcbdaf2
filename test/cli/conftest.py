# SPDX-License-Identifier: Apache-2.0
"""A broker for all tests of commands, and a way to run them."""

import os
import pathlib
import subprocess
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "test"))

from klamm import KlammServer  # noqa: E402

# The broker refuses variables of its own prefix that it does not know.
BINARY = os.environ.pop("KLAMM_BINARY", str(ROOT / "build" / "klamm"))
LIMIT_S = 120


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


@pytest.fixture
def topic(request, cli):
    """The name of a topic that only this test uses, with three partitions."""
    name = request.node.name.replace("[", "-").replace("]", "").replace(":", "")
    cli.good("topic", "create", name, "--partitions", 3)
    return name
