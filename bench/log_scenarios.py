# SPDX-License-Identifier: Apache-2.0
"""The scenarios about the log. Each takes the run (run.Bench), starts servers of its own, and leaves
samples; docs/benchmarks.md says what their rows mean."""

import contextlib
import os
import pathlib
import threading
import time

import machine
from servers import BenchError

JOURNAL_PARTITIONS = (1, 10, 100, 1000)
JOURNAL_CONNS = 64
KAFKA_WARM_SECONDS = 6


@contextlib.contextmanager
def own_servers(bench, *names):
    """A server of its own for each of `names` that takes part in this run."""
    servers = {}
    try:
        for name in names:
            if name in bench.options.only:
                bench.say(f"starting {name}")
                servers[name] = bench.new_server(name).start()
        yield servers
    finally:
        for server in servers.values():
            server.stop()


def journal_load(bench, server, partitions, seconds, warm_seconds):
    return bench.load(server, "produce", "--topic", f"journal{partitions}", "--keep-topic",
                      "--conns", JOURNAL_CONNS, "--partitions", partitions, "--rotate",
                      "--seconds", seconds, "--warm-seconds", warm_seconds)


def keep_ratios(bench, target, number, samples):
    """What the widest spread costs against a single partition, of one round."""
    one, many = samples[JOURNAL_PARTITIONS[0]], samples[JOURNAL_PARTITIONS[-1]]
    bench.keep("journal-ratio", target, number, {
        "rate": many["requests_per_s"] / one["requests_per_s"],
        "cpu": (many["cpu_s"] / many["requests"]) / (one["cpu_s"] / one["requests"])})


def journal(bench):
    """Durable acks spread over ever more partitions. The topics stay for all rounds."""
    with own_servers(bench, "klamm", "kafka") as servers:
        for server in servers.values():
            for partitions in JOURNAL_PARTITIONS:
                bench.load(server, "create", "--topic", f"journal{partitions}", "--partitions",
                           partitions)
                # Files are made, and Kafka's JVM has compiled what runs.
                journal_load(bench, server, partitions,
                             KAFKA_WARM_SECONDS if server.name == "kafka" else 1, 0)
        for number in range(bench.size["rounds"]):
            bench.look_around()
            for target in bench.turns(number, *servers):
                os.sync()
                time.sleep(1)
                samples = {}
                order = JOURNAL_PARTITIONS if number % 2 == 0 else JOURNAL_PARTITIONS[::-1]
                for partitions in order:
                    bench.say(f"round {number + 1}: journal, {partitions} partitions, {target}")
                    samples[partitions] = journal_load(bench, servers[target], partitions,
                                                       bench.size["seconds"], bench.size["warm"])
                    bench.keep(f"journal-{partitions}", target, number, samples[partitions])
                keep_ratios(bench, target, number, samples)


# -- cold reads -------------------------------------------------------------

COLD_TAIL_RATE = 1000
TAIL_WARM_SECONDS = 1
COLD_FETCH_BATCHES = {"cold-1m": 8, "cold-50m": 430}  # of 119 KiB


def cold_shape(bench):
    return ["--topic", "cold", "--conns", 1, "--partitions", 1, "--depth", 4, "--value-size", 1024,
            "--batch-bytes", 120 * 1024, "--bytes", bench.size["cold_bytes"]]


def evict(server):
    """Takes the old topic's bytes, which are on disk, out of the page cache."""
    for path in pathlib.Path(server.data_directory).rglob("cold-0/*.log"):
        with open(path, "rb") as f:
            os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class ColdReader:
    """A consumer that reads the old topic from its beginning, again and again, as long as
    the tail is measured. Each time its bytes are taken out of the page cache before."""

    def __init__(self, bench, server, fetch_batches):
        self.bench = bench
        self.server = server
        self.args = [*cold_shape(bench), "--fetch-batches", fetch_batches]
        self.until = time.monotonic() + bench.size["latency_seconds"] + TAIL_WARM_SECONDS
        self.reads = []
        self.errors = []
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while (left := self.until - time.monotonic()) > 0.1:
            evict(self.server)
            before = machine.thread_read_bytes(self.server.pid)
            try:
                sample = self.bench.load(self.server, "fetch", *self.args, "--seconds", left)
            except BenchError as e:
                self.errors.append(str(e))
                return
            after = machine.thread_read_bytes(self.server.pid)
            sample["thread_read_bytes"] = {k: v - before.get(k, 0) for k, v in after.items()}
            self.reads.append(sample)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()


def tail_load(bench, server):
    bench.topics += 1
    topic = ("--topic", f"tail{bench.topics}")
    sample = bench.load(server, "latency", *topic, "--rate", COLD_TAIL_RATE, "--seconds",
                        bench.size["latency_seconds"], "--warm-seconds", TAIL_WARM_SECONDS)
    bench.load(server, "delete", *topic)
    return sample


def cold_round(bench, server, target, number):
    """The tail alone and beside each kind of reader, in an order that turns round."""
    names = ["cold-none", *COLD_FETCH_BATCHES]
    tails = {}
    for name in names if number % 2 == 0 else names[::-1]:
        bench.say(f"round {number + 1}: {name}, {target}")
        os.sync()
        if name == "cold-none":
            tails[name] = tail_load(bench, server)
        else:
            with ColdReader(bench, server, COLD_FETCH_BATCHES[name]) as reader:
                tails[name] = tail_load(bench, server)
            bench.errors += reader.errors
            for read in reader.reads:
                bench.keep(name + "-reader", target, number, read)
        bench.keep(name, target, number, tails[name])
    for name in COLD_FETCH_BATCHES:
        bench.keep(name + "-ratio", target, number, {
            k: tails[name][k] / tails["cold-none"][k] for k in ("p50_us", "p99_us", "ack_p99_us")})


def coldread(bench):
    """The tail of one topic, while nobody or somebody reads old data of another."""
    for target in bench.turns(0, "klamm", "kafka"):
        with own_servers(bench, target) as servers:
            server = servers[target]
            bench.load(server, "produce", *server.topic_options["cache"], *cold_shape(bench))
            os.sync()
            if target == "kafka":
                tail_load(bench, server)
            for number in range(bench.size["rounds"]):
                bench.look_around()
                try:
                    cold_round(bench, server, target, number)
                except BenchError as e:
                    bench.errors.append(f"coldread, {target}, round {number + 1}: {e}")


# -- restart ----------------------------------------------------------------

RESTART_TOPICS = 10
RESTART_STOP_SECONDS = 120


def write_everywhere(bench, server):
    """A record to each of many partitions, durable where the server's default is."""
    partitions = bench.size["restart_partitions"] // RESTART_TOPICS
    batch_bytes = bench.load(server, "produce", "--topic", "one", "--bytes", 4096)["batch_bytes"]
    for i in range(RESTART_TOPICS):
        bench.load(server, "produce", "--topic", f"restart{i}", "--partitions", partitions,
                   "--conns", 16, "--rotate", "--bytes", batch_bytes * partitions)


def restart(bench):
    """A clean restart with many partitions, all of which have been written to."""
    for target in bench.turns(0, "klamm", "kafka"):
        with own_servers(bench, target) as servers:
            server = servers[target]
            bench.say(f"restart: writing to {bench.size['restart_partitions']} partitions, {target}")
            write_everywhere(bench, server)
            port = server.port
            server.end(RESTART_STOP_SECONDS)
            for number in range(bench.size["rounds"]):
                bench.look_around()
                bench.say(f"round {number + 1}: restart, {target}")
                sample = bench.run_json([
                    bench.program("klamm-load"), "start", "--port", port, "--keep-topic", "--topic",
                    "restart0", "--topics", RESTART_TOPICS + 1, "--", *server.command(port)])
                bench.keep("restart", target, number, sample)
