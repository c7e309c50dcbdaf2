# SPDX-License-Identifier: Apache-2.0
"""Fixtures for all clients: a broker, its binary, Java, Node, Go. Nothing is skipped, whatever is missing.

`--against kafka` runs the tests that use `broker` against a real Kafka 4.4.0: what it does is right.
Those that need something of Klamm's own use `klamm` or `server`, and are left out then.
"""

import itertools
import os
import pathlib
import subprocess
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(ROOT / "test"))
sys.path.insert(0, str(ROOT / "test" / "kafka"))

from kafka_server import KafkaServer, classpath  # noqa: E402
from kafka_tools import ToolProcess  # noqa: E402
from klamm import KlammServer  # noqa: E402
from sharing import one_at_a_time  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--binary", default=str(ROOT / "build" / "klamm"), help="the klamm to test")
    parser.addoption("--long", action="store_true", help="many more rounds")
    parser.addoption("--against", choices=("klamm", "kafka"), default="klamm",
                     help="whose broker the tests of clients talk to")
    parser.addoption("--seed", type=int, default=None, help="for the tests that draw at random")


def pytest_configure(config):
    for word in ("read_text", "open_text"):  # kafka-python, when it is imported
        config.addinivalue_line("filterwarnings", f"ignore:{word} is deprecated")


# Each worker takes the next file when it has done one. These come first, so that no worker is left with one
# of them when the other has nothing more to do.
LONG = ("test_admin_against_kafka", "test_compaction_against_kafka", "test_crash", "test_ephemeral",
        "test_groups_aiokafka", "test_groups_confluent", "test_groups_kafka_python", "test_java",
        "test_kafka_tools", "test_kafkajs", "test_log_files", "test_protocol", "test_sarama",
        "test_topic_configs_against_kafka", "test_torture")

# Tests in files of these names run against Kafka alone: what they test is not served yet.
NOT_YET = ()


def pytest_collection_modifyitems(config, items):
    if config.getoption("--against") == "klamm":
        items[:] = [i for i in items if not i.path.name.startswith(NOT_YET)]
    if config.getoption("--against") == "kafka":
        items[:] = [i for i in items if not {"klamm", "server", "peers"} & set(i.fixturenames)]
    items.sort(key=lambda i: i.path.stem not in LONG)


@pytest.fixture(scope="session")
def binary(request):
    path = request.config.getoption("--binary")
    assert os.access(path, os.X_OK), f"{path} is not there: make"
    return path


@pytest.fixture(scope="session")
def is_long(request):
    return request.config.getoption("--long")


@pytest.fixture(scope="session")
def seed(request):
    given = request.config.getoption("--seed")
    return int.from_bytes(os.urandom(4), "big") if given is None else given


@pytest.fixture(scope="session")
def is_kafka(request):
    return request.config.getoption("--against") == "kafka"


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


# What both kinds of broker are told, so that nobody has to wait for a background task.
QUICK = {"log.retention.check.interval.ms": "200", "log.initial.task.delay.ms": "100",
         "group.initial.rebalance.delay.ms": "0", "group.min.session.timeout.ms": "500",
         "offsets.topic.num.partitions": "3"}


@pytest.fixture(scope="session")
def shared_broker(request, is_kafka, tmp_path_factory):
    """One broker for all tests that make topics of their own and do not restart it."""
    directory = tmp_path_factory.mktemp("shared")
    if is_kafka:
        made = KafkaServer(QUICK, directory=directory)
    else:
        made = KlammServer(request.getfixturevalue("binary"), directory=directory)
        made.set("klamm.admin.listener", "127.0.0.1:0")
        for key, value in QUICK.items():
            made.set(key, value)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def broker(shared_broker, is_kafka):
    yield shared_broker
    assert is_kafka or shared_broker.is_running(), shared_broker.stderr


def one_broker(request, directory, settings):
    """Of the kind that is tested; not started."""
    if request.getfixturevalue("is_kafka"):
        return KafkaServer(settings, directory=directory, heap="512m")
    made = KlammServer(request.getfixturevalue("binary"), directory=directory)
    for key, value in settings.items():
        made.set(key, value)
    return made


@pytest.fixture(scope="session")
def both(request, tmp_path_factory):
    """Klamm and Kafka, or two Kafkas, which shows that a comparison holds."""
    from groups import SETTINGS, GroupPeer
    directory = tmp_path_factory.mktemp("both")
    first = one_broker(request, directory / "first", SETTINGS)
    with first, KafkaServer(SETTINGS, directory=directory / "second", heap="512m") as second:
        yield GroupPeer(first.bootstrap), GroupPeer(second.bootstrap)


@pytest.fixture
def own_broker(request, is_kafka, tmp_path, binary):
    """A broker that the test may kill and start."""
    if is_kafka:
        made = KafkaServer(QUICK, directory=tmp_path / "own")
    else:
        made = KlammServer(binary, directory=tmp_path / "own")
        for key, value in QUICK.items():
            made.set(key, value)
    made.start()
    yield made
    made.kill() if made.process is not None else None


NAMES = itertools.count()


@pytest.fixture
def topic(request):
    """A name that no other test uses."""
    return f"{request.node.originalname.removeprefix('test_')}-{next(NAMES)}"[-200:]


class Program:
    """Of steps. Prints lines `ok NAME` or `failed NAME: why`; may ask for something by a line
    `do WORD` and goes on when it has read a line."""

    def __init__(self, *command, env=None):
        self.command = command
        self.env = env

    def run(self, *args, on_ask=None, limit_s=120):
        """The results by name: "ok", or why not. Whatever else is printed is shown on a failure."""
        process = subprocess.Popen([*self.command, *map(str, args)], text=True, env=self.env,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        watchdog = threading.Timer(limit_s, process.kill)
        watchdog.start()
        results, printed = {}, []
        try:
            for line in map(str.rstrip, process.stdout):
                printed.append(line)
                word, _, rest = line.partition(" ")
                if word == "ok":
                    results[rest] = "ok"
                elif word == "failed":
                    name, _, why = rest.partition(": ")
                    results[name] = why
                elif word == "do":
                    on_ask(rest)
                    process.stdin.write("done\n")
                    process.stdin.flush()
        finally:
            process.kill() if sys.exc_info()[0] else None
            code = process.wait()
            watchdog.cancel()
            print("\n".join(printed))
        assert code == 0, f"{args[0]} ended with {code}"
        return results


@pytest.fixture(scope="session")
def java():
    """The program of java/, compiled once."""
    classes = ROOT / "build" / "clients-java"
    classes.mkdir(parents=True, exist_ok=True)
    sources = sorted((HERE / "java").glob("*.java"))
    made = classes / "compiled"
    with one_at_a_time("clients-java"):
        if not made.exists() or made.stat().st_mtime < max(s.stat().st_mtime for s in sources):
            subprocess.run(["javac", "-Xlint:all", "-Werror", "-proc:none", "-cp", classpath(),
                            "-d", str(classes), *map(str, sources)], check=True)
            made.touch()
    return Program("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                   "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                   "-cp", f"{classes}:{classpath()}")


@pytest.fixture(scope="session")
def tool_process(java):
    process = ToolProcess(java)
    yield process
    process.close()


@pytest.fixture(scope="session")
def node_env():
    """The environment in which Node finds its packages."""
    with one_at_a_time("node"):
        made = subprocess.run([ROOT / "test" / "node.sh"], stdout=subprocess.PIPE, text=True, check=True)
    return {**os.environ, "NODE_PATH": made.stdout.strip()}


@pytest.fixture(scope="session")
def go():
    """The path of a Go that is new enough."""
    with one_at_a_time("go"):
        found = subprocess.run([ROOT / "test" / "go.sh"], stdout=subprocess.PIPE, text=True, check=True)
    return found.stdout.strip()


@pytest.fixture(scope="session")
def golang(go):
    """The path of the program of golang/; Go knows itself what it has to compile again."""
    made = ROOT / "build" / "clients-golang"
    environment = {"HOME": str(ROOT / "build" / "go"), **os.environ, "GOTOOLCHAIN": "local",
                   "CGO_ENABLED": "0"}

    def run(*command):
        return subprocess.run(command, cwd=HERE / "golang", env=environment, check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    with one_at_a_time("clients-golang"):
        run(go, "build", "-o", str(made), ".")
    root = pathlib.Path(run(go, "env", "GOROOT").strip())
    assert run(str(root / "bin" / "gofmt"), "-l", ".", str(ROOT / "examples")) == "", \
        "gofmt -w these"
    return str(made)
