# SPDX-License-Identifier: Apache-2.0
"""What is measured: Klamm, Apache Kafka, and the floor, behind one small interface.

A server has a name, a port and a pid while it runs. It knows nothing about scenarios.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test" / "kafka"))

import kafka_server as kafka_module  # noqa: E402

READY_LINE = re.compile(r"127\.0\.0\.1:(\d+)")
# Both brokers: no wait for more members of a new group, and sessions short enough to die in.
GROUP_SETTINGS = {"group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 500}
START_SECONDS = 20
STOP_SECONDS = 20
RESTART_SECONDS = 300  # with many partitions


class BenchError(Exception):
    """Something did not run; the message says what."""


class Process:
    """A program that prints its address to standard error when it serves."""

    name = "?"
    topic_options = {"cache": [], "disk": []}
    load_options = []

    def __init__(self, directory):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=self.name + "-", dir=directory))
        self.process = None
        self.port = None

    @property
    def pid(self):
        return self.process.pid

    @property
    def data_directory(self):
        return self.directory

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def command(self, port=0):
        raise NotImplementedError

    def log_path(self):
        return self.directory / "log.txt"

    def start(self, port=0, within=START_SECONDS):
        with open(self.log_path(), "wb") as log:
            self.process = subprocess.Popen(
                self.command(port), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=kafka_module.end_with_parent)
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            match = READY_LINE.search(self.log_path().read_text(errors="replace"))
            if match and match.group(1) != "0":
                self.port = int(match.group(1))
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        text = self.log_path().read_text(errors="replace")
        self.stop()
        raise BenchError(f"{self.name} did not start:\n{text[-2000:]}")

    def crash(self):
        """SIGKILL; the data stays, start(port) goes on with it."""
        self.process.kill()
        self.process.wait()

    def end(self, within=STOP_SECONDS):
        """A clean stop; the data stays, again() goes on with it."""
        self.process.terminate()
        if self.process.wait(within) != 0:
            raise BenchError(f"{self.name} did not stop cleanly")

    def again(self):
        return self.start(self.port, within=RESTART_SECONDS)

    def stop(self):
        """Stops it and removes its data; also after a start that failed."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        shutil.rmtree(self.directory, ignore_errors=True)


class Floor(Process):
    name = "floor"
    load_options = ["--floor"]

    def __init__(self, build, directory):
        super().__init__(directory)
        self.program = build / "bench" / "klamm-floor"

    def command(self, port=0):
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        return [str(self.program), str(data)]


class Klamm(Process):
    name = "klamm"

    def __init__(self, build, directory):
        super().__init__(directory)
        self.program = build / "klamm"
        # Acks from the page cache are Kafka's promise; from the disk are Klamm's default.
        self.topic_options = {"cache": ["--config", "klamm.ack=cache"], "disk": []}

    def command(self, port=0):
        return [str(self.program), "serve",
                "--set", f"listeners=PLAINTEXT://127.0.0.1:{port}",
                "--set", f"log.dirs={self.directory / 'data'}",
                *[a for k, v in GROUP_SETTINGS.items() for a in ("--set", f"{k}={v}")]]


class Kafka:
    """Kafka 4.4.0 with its defaults and the JVM options of its own start script, 1 GiB of heap."""

    name = "kafka"
    load_options = []
    topic_options = {"cache": [], "disk": ["--config", "flush.messages=1"]}

    def __init__(self, directory):
        # Deleted topics go at once instead of a minute later, so that the disk does not fill.
        self.server = kafka_module.KafkaServer(
            dict(GROUP_SETTINGS, **{"log.segment.delete.delay.ms": 1000}),
            directory=tempfile.mkdtemp(prefix="kafka-", dir=directory),
            jvm_options=kafka_module.RELEASE_OPTIONS)

    @property
    def pid(self):
        return self.server.pid

    @property
    def port(self):
        return self.server.port

    @property
    def data_directory(self):
        return self.server.directory

    def is_alive(self):
        return self.server.process is not None and self.server.process.poll() is None

    def start(self):
        try:
            self.server.start()
        except kafka_module.KafkaError as e:
            self.stop()
            raise BenchError(str(e)) from e
        return self

    def crash(self):
        self.server.kill()

    def end(self, within=STOP_SECONDS):
        self.server.stop(within)

    def again(self):
        self.server.start(RESTART_SECONDS)
        return self

    def prepare(self):
        """Formats the storage, which a start of Kafka needs and a start of Klamm does not."""
        self.server.format()

    def command(self, port=0):
        return self.server.command

    def stop(self):
        self.server.stop()
        shutil.rmtree(self.server.directory, ignore_errors=True)
