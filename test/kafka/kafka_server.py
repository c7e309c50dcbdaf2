# SPDX-License-Identifier: Apache-2.0
"""A real Apache Kafka, one KRaft node in combined mode, run from the Maven artefacts of pom.xml.

    with KafkaServer() as kafka:           # own temporary directory, free ports
        use(kafka.bootstrap)

It knows nothing about what the server is used for. Processes are stopped by pid, and a
temporary directory that this module made is removed.

Run as a program it starts a server, prints its address, and stops it when standard input ends.
"""

import base64
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))

from sharing import BUILD, HOST, HeldPort, one_at_a_time  # noqa: E402

POM = HERE / "pom.xml"
CACHE = BUILD / "kafka"
VERSION = "4.4.0"

# What bin/kafka-server-start.sh of a Kafka release sets, but for its log of garbage collections.
RELEASE_OPTIONS = [
    "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
]
# For a server that answers a few thousand requests: compiling them well costs more than it gives.
QUICK_OPTIONS = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]


class KafkaError(Exception):
    pass


def classpath():
    """The jars of Kafka and what it needs, by Maven; kept in build/kafka until the pom changes."""
    with one_at_a_time("kafka"):
        return find_classpath()


def find_classpath():
    kept = CACHE / "classpath.txt"
    if kept.exists() and kept.stat().st_mtime > POM.stat().st_mtime:
        paths = kept.read_text().strip()
        if paths and all(os.path.exists(p) for p in paths.split(":")):
            return paths
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = CACHE / f"classpath.{os.getpid()}"
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:build-classpath",
               f"-Dmdep.outputFile={fresh}"]
    for variant in (command + ["-o"], command):
        done = subprocess.run(variant, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode == 0:
            break
    else:
        raise KafkaError(f"Maven did not find Kafka {VERSION}:\n{done.stdout}")
    os.replace(fresh, kept)
    return kept.read_text().strip()


def java_command(main, *args, heap="1g", options=QUICK_OPTIONS):
    """Warnings of Kafka go to standard error; INFO would cost it CPU time that users rarely pay."""
    return ["java", f"-Xms{heap}", f"-Xmx{heap}", *options,
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-cp", classpath(), main, *map(str, args)]


def end_with_parent():
    """For preexec_fn: the kernel kills the child when the thread that started it ends, so that
    an aborted run leaves no server behind."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class KafkaServer:
    """One Kafka node. `overrides` are server properties; `directory` is kept when it is given.
    Who measures its speed passes `jvm_options=RELEASE_OPTIONS`.

    start() formats the storage when that was not done and returns when clients are served. The
    server ends with the thread that called start().
    """

    def __init__(self, overrides=None, directory=None, heap="1g", jvm_options=QUICK_OPTIONS):
        self.overrides = dict(overrides or {})
        self.heap = heap
        self.jvm_options = jvm_options
        self.is_own_directory = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="kafka-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self.held_ports = HeldPort(), HeldPort()
        self.port, self.controller_port = [held.number for held in self.held_ports]
        self.process = None
        self.is_formatted = False

    # -- what users read --------------------------------------------------

    @property
    def bootstrap(self):
        return f"{HOST}:{self.port}"

    @property
    def pid(self):
        return self.process.pid if self.process else None

    @property
    def data(self):
        return self.directory / "data"

    @property
    def log(self):
        return self.directory / "kafka.log"

    @property
    def command(self):
        """What start() executes, for those who want to time it themselves."""
        return java_command("kafka.Kafka", self.properties_file(), heap=self.heap,
                            options=self.jvm_options)

    def log_tail(self, lines=20):
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # -- life -------------------------------------------------------------

    def properties(self):
        listeners = (f"PLAINTEXT://{HOST}:{self.port},"
                     f"CONTROLLER://{HOST}:{self.controller_port}")
        p = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{HOST}:{self.controller_port}",
            "listeners": listeners,
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.data),
            # A single node cannot have the three replicas that are the default.
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
        }
        p.update({k: str(v) for k, v in self.overrides.items()})
        return p

    def properties_file(self):
        path = self.directory / "server.properties"
        path.write_text("".join(f"{k}={v}\n" for k, v in self.properties().items()))
        return path

    def format(self):
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if cluster_id.startswith("-"):  # would read as an option
            cluster_id = "A" + cluster_id[1:]
        done = subprocess.run(
            java_command("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c",
                         self.properties_file(), heap="256m"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise KafkaError(f"StorageTool format:\n{done.stdout}")
        self.is_formatted = True

    def start(self, timeout=240):
        if not self.is_formatted and not (self.data / "meta.properties").exists():
            self.format()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, preexec_fn=end_with_parent)
        try:
            self.wait_ready(timeout)
        except BaseException:
            self.kill()
            raise
        return self

    def wait_ready(self, timeout=240):
        """Until a Metadata answer names a broker: then it is registered and unfenced."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise KafkaError(f"Kafka ended with {self.process.returncode}:\n{self.log_tail()}")
            try:
                if broker_count(self.port) > 0:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise KafkaError(f"Kafka was not ready after {timeout} s:\n{self.log_tail()}")

    def stop(self, timeout=30):
        """A clean stop; SIGKILL when it takes longer than `timeout`."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def remove(self):
        if self.is_own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *_):
        self.stop()
        self.remove()


def broker_count(port, timeout=5):
    """How many brokers a Metadata request (version 1, no topics) is told of. OSError: none yet."""
    body = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0)
    with socket.create_connection((HOST, port), timeout) as s:
        s.sendall(struct.pack(">i", len(body)) + body)
        (size,) = struct.unpack(">i", read_exactly(s, 4))
        answer = read_exactly(s, size)
    return struct.unpack_from(">i", answer, 4)[0]


def read_exactly(s, size):
    data = b""
    while len(data) < size:
        part = s.recv(size - len(data))
        if not part:
            raise OSError("connection closed")
        data += part
    return data


def main():
    overrides = dict(arg.split("=", 1) for arg in sys.argv[1:])
    with KafkaServer(overrides) as kafka:
        print(kafka.bootstrap, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
