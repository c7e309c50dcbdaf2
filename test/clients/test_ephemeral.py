# SPDX-License-Identifier: Apache-2.0
"""`klamm serve --ephemeral`: a broker in memory for other people's tests, and examples/ that use it."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from confluent import commit

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"
WEEK_MS = 7 * 24 * 3600 * 1000


class Ephemeral:
    """Started in a directory of its own, as a test would."""

    def __init__(self, binary, directory, *more):
        directory.mkdir()
        self.directory = directory
        self.process = subprocess.Popen(
            [binary, "serve", "--ephemeral", "--until-stdin-ends", *more], cwd=directory,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.bootstrap = self.process.stdout.readline().strip()
        self.pages = self.process.stdout.readline().strip()

    def post(self, path):
        with urllib.request.urlopen(urllib.request.Request(self.pages + path, method="POST"),
                                    timeout=30) as answer:
            return answer.read().decode()

    def end(self):
        _, errors = self.process.communicate(timeout=60)  # closes standard input
        return self.process.returncode, errors


@pytest.fixture
def ephemeral(binary, tmp_path):
    made = []

    def make(*more):
        made.append(Ephemeral(binary, tmp_path / f"cwd{len(made)}", *more))
        return made[-1]

    yield make
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def produce(bootstrap, topic, count, size=100):
    producer = Producer({"bootstrap.servers": bootstrap})
    for i in range(count):
        producer.produce(topic, bytes(size), str(i))
        producer.poll(0)
    assert producer.flush(60) == 0


def until(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def open_files(pid):
    """What its descriptors stand for; one may be closed while we look (a client just left)."""
    targets = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            targets.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return targets


def test_records_are_kept_in_memory_and_nowhere_else(ephemeral):
    broker = ephemeral()
    produce(broker.bootstrap, "many", 20000, 1000)
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g",
                         "auto.offset.reset": "earliest"})
    consumer.subscribe(["many"])
    keys = []
    while len(keys) < 20000:
        keys += [m.key() for m in consumer.consume(1000, timeout=30)]
    consumer.close()
    assert keys == [str(i).encode() for i in range(20000)]
    targets = open_files(broker.process.pid)
    assert any(t.startswith("/memfd:") for t in targets)
    assert [t for t in targets if t.startswith("/") and not t.startswith(("/memfd:", "/dev/"))] == []
    status, errors = broker.end()
    assert status == 0 and "standard input was closed" in errors
    assert list(broker.directory.iterdir()) == []


def test_each_is_empty_and_has_ports_of_its_own(ephemeral):
    first, second = ephemeral(), ephemeral()
    produce(first.bootstrap, "first", 1)
    assert first.bootstrap != second.bootstrap and first.pages != second.pages
    admin = AdminClient({"bootstrap.servers": second.bootstrap})
    assert admin.list_topics(timeout=30).topics == {}


def test_topics_come_and_go_without_a_trace(ephemeral):
    broker = ephemeral("--set", "log.segment.delete.delay.ms=0")
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})

    def count():
        return len(os.listdir(f"/proc/{broker.process.pid}/fd"))

    admin.list_topics(timeout=30)
    before = count()
    for _ in range(3):
        for done in admin.create_topics([NewTopic(f"t{i}", 20) for i in range(10)]).values():
            done.result(60)
        assert count() >= before + 200
        for done in admin.delete_topics([f"t{i}" for i in range(10)]).values():
            done.result(60)
        until(lambda: count() < before + 50, "files of deleted topics are still there")


def test_what_is_set_beats_what_ephemeral_means(ephemeral, tmp_path):
    dirs = [tmp_path / "deep" / "er", tmp_path / "other"]
    broker = ephemeral("--set", "klamm.admin.listener=", "--set", f"log.dirs={dirs[0]},{dirs[1]}",
                       "--set", "node.id=7", "--set", "listeners=PLAINTEXT://localhost:0")
    assert broker.bootstrap.startswith(("127.0.0.1:", "[::1]:")) and broker.pages == ""
    produce(broker.bootstrap, "some", 10)
    assert not any(path.exists() for path in (dirs[0].parent, dirs[1]))


def committed(bootstrap, group):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    return [(p.topic, p.offset) for p in asked[group].result(60).topic_partitions]


def test_a_week_passes_in_a_moment(ephemeral):
    """Retention, the expiry of offsets, and a member whose session ends; the wall clock too."""
    broker = ephemeral("--set", "offsets.retention.minutes=1440")
    produce(broker.bootstrap, "old", 3)
    commit(broker.bootstrap, "gone", [TopicPartition("old", 0, 1)])
    assert committed(broker.bootstrap, "gone") == [("old", 1)]
    now_ms = int(broker.post(f"/clock/advance?ms={WEEK_MS + 1}"))
    assert now_ms >= time.time() * 1000 + WEEK_MS - 60000
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "c"})
    until(lambda: consumer.get_watermark_offsets(TopicPartition("old", 0), timeout=30) == (3, 3),
          "records older than log.retention.hours are still there")
    consumer.close()
    until(lambda: committed(broker.bootstrap, "gone") == [], "offsets have not expired")
    produce(broker.bootstrap, "old", 1)
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "d"})
    reader.assign([TopicPartition("old", 0, 3)])
    message = reader.poll(60)
    reader.close()
    assert message.offset() == 3


@pytest.mark.parametrize("path, status", [
    ("/clock/advance", 400), ("/clock/advance?ms=", 400), ("/clock/advance?ms=-1", 400),
    ("/clock/advance?ms=1x", 400), ("/clock/advance?ms=99999999999999999999", 400),
    ("/clock/advance?ms=315360000001", 400), ("/clock", 405)])
def test_bad_moves_of_the_clock(ephemeral, path, status):
    with pytest.raises(urllib.error.HTTPError) as refused:
        ephemeral().post(path)
    assert refused.value.code == status


def test_a_clock_that_is_the_machines_does_not_move(klamm):
    request = urllib.request.Request(
        f"http://127.0.0.1:{klamm.admin_port}/clock/advance?ms=1", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 405
    with pytest.raises(urllib.error.HTTPError) as refused:
        klamm.page("/clock/advance?ms=1")
    assert refused.value.code == 404


def test_it_ends_with_the_process_that_started_it(binary, tmp_path):
    """Also when that is killed."""
    parent = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys\n"
         "p = subprocess.Popen([sys.argv[1], 'serve', '--ephemeral', '--until-stdin-ends'],"
         " stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)\n"
         "p.stdout.readline()\nprint(p.pid, flush=True)\nsys.stdin.read()", binary],
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert os.path.exists(f"/proc/{pid}")
    parent.kill()
    parent.communicate()

    def is_gone():
        try:
            status = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except FileNotFoundError:
            return True
        return status.rpartition(")")[2].split()[0] == "Z"  # its new parent may not look

    try:
        until(is_gone, "the broker outlived who started it")
    finally:
        if not is_gone():
            os.kill(pid, signal.SIGKILL)


def test_standard_input_must_have_an_end(binary, tmp_path):
    done = subprocess.run([binary, "serve", "--ephemeral", "--until-stdin-ends"], cwd=tmp_path,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "klamm: --until-stdin-ends: standard input is no pipe"


# ---- the examples, as somebody would copy them

def run_example(binary, command, directory, env=None):
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, text=True, timeout=600,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**(env or os.environ), "KLAMM": binary})
    assert done.returncode == 0, done.stdout
    return done.stdout


def copy_of(name, tmp_path):
    return shutil.copytree(EXAMPLES / name, tmp_path / name)


def test_the_example_for_pytest(binary, tmp_path):
    out = run_example(binary, [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
                      copy_of("pytest", tmp_path))
    assert "2 passed" in out


def test_the_example_for_junit(binary, tmp_path):
    """What it needs is fetched before, once, where it is not there already."""
    directory = copy_of("junit", tmp_path)
    command = ["mvn", "-B", "-ntp", "test"]
    offline = subprocess.run([*command, "-o", "-q", "-Dtest=NoSuch", "-Dsurefire.failIfNoSpecifiedTests=false"],
                             cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if offline.returncode == 0:
        command.append("-o")
    out = run_example(binary, command, directory)
    assert "Tests run: 2, Failures: 0, Errors: 0, Skipped: 0" in out


def test_the_example_for_go(binary, go, tmp_path):
    env = {"HOME": str(ROOT / "build" / "go"), **os.environ, "GOTOOLCHAIN": "local"}
    out = run_example(binary, [go, "test", "./..."], copy_of("go", tmp_path), env)
    assert any(line.startswith("ok ") for line in out.splitlines()), out  # behind what it had to fetch
