#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make bench: Klamm side by side with Apache Kafka and with the floor of the machine.

Servers take turns within each round and the order rotates between rounds; the report takes
medians over rounds, and medians of the ratios of one round. docs/benchmarks.md says what each
row means. Loads go to 127.0.0.1 only and end by themselves.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import compact_scenarios
import log_scenarios
import loop_disk
import machine
import partition_scenarios
import report
import scan_scenarios
from servers import ROOT, BenchError, Floor, Kafka, Klamm

LOAD_TIMEOUT = 180
SETTLE_SECONDS = 1.5
IDLE_SECONDS = 10
TOPICS_TIMEOUT = 900
NAMED_TOPICS = 10
KAFKA_WARM_SECONDS = 6
PIECE_BYTES = 250_000_000
DEATH_SESSION_MS = 1000
COMMITS = {"commit-1": (1, 1), "commit-32": (1, 32), "commit-1000": (1000, 32)}  # groups, conns

# In the order of running. The first five share two servers and are repeated in rounds.
SCENARIOS = ("produce", "small", "durable", "latency", "groups", "metadata", "members", "idle",
             "start", "journal", "partitions", "compact", "coldread", "restart",
             "scan")
# Not part of a plain `make bench`.
ON_DEMAND = ("journal", "partitions", "compact", "coldread", "restart", "scan")

FULL = {"rounds": 5, "bytes": 2_000_000_000, "seconds": 3.0, "warm": 0.5, "latency_seconds": 6.0,
        "fetch_passes": 3, "klamm_starts": 9, "kafka_starts": 3, "conns": 10_000,
        "kafka_warm_rounds": 3, "short_seconds": 2.0, "rebalances": 50, "deaths": 4,
        "members": 100, "topics": 10_000, "groups": 10_000, "group_members": 10,
        "group_conns": 250, "cold_bytes": 6_000_000_000,
        "restart_partitions": 10_000}
QUICK = dict(FULL, rounds=1, bytes=1_000_000_000, seconds=2.0, latency_seconds=3.0,
             klamm_starts=5, kafka_starts=1, kafka_warm_rounds=1, rebalances=20, deaths=2,
             cold_bytes=2_000_000_000)


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Bench:
    """One run: its servers, its directory and the samples it has gathered."""

    def __init__(self, options, size, directory):
        self.options = options
        self.size = size
        self.directory = directory
        self.build = options.build
        self.samples = []
        self.errors = []
        self.notes = []
        self.servers = {}
        self.topics = 0
        self.busy = []

    @staticmethod
    def say(text):
        say(text)

    # -- servers ------------------------------------------------------------

    def new_server(self, name):
        if name == "kafka":
            return Kafka(self.directory)
        return (Klamm if name == "klamm" else Floor)(self.build, self.directory)

    def start_servers(self):
        for name in self.options.only:
            if name in ("klamm", "kafka"):
                say(f"starting {name}")
                self.servers[name] = self.new_server(name)
                self.servers[name].start()
        if "klamm" in self.servers:
            self.probe_cache_option(self.servers["klamm"])
        if "kafka" in self.servers and self.wants("produce", "small", "durable", "latency"):
            self.warm_kafka(self.servers["kafka"])
        if "kafka" in self.servers and self.wants("groups"):
            self.warm_kafka_groups(self.servers["kafka"])

    def stop_servers(self):
        for server in self.servers.values():
            server.stop()
        self.servers = {}

    def probe_cache_option(self, server):
        try:
            self.load(server, "create", "--topic", "probe", *server.topic_options["cache"])
        except BenchError as e:
            if "CreateTopics" not in str(e):
                raise
            self.notes.append("klamm.ack=cache was refused; page-cache rows use acks=1")
            say(self.notes[-1] + f" ({e})")
            server.topic_options = {"cache": ["--acks", "1"], "disk": []}

    def warm_kafka(self, server):
        """Until its JVM has compiled what the measured rows run."""
        say("warming Kafka's JVM")
        for i in range(self.size["kafka_warm_rounds"]):
            topic = f"warm{i}"
            machine.warm_pages(self.directory, self.size["bytes"])
            self.load(server, "produce", "--topic", topic, *self.big())
            self.load(server, "fetch", "--topic", topic, "--passes", 2, *self.big())
            self.load(server, "fetch", "--topic", topic, "--fetch-batches", 1, *self.big())
            self.load(server, "delete", "--topic", topic)
            for conns in (1, 32):
                topic = f"warm{i}-{conns}"
                self.load(server, "produce", "--topic", topic, "--conns", conns, "--partitions",
                          min(conns, 8), "--seconds", 4)
                self.load(server, "delete", "--topic", topic)

    def warm_kafka_groups(self, server):
        say("warming Kafka's group coordinator")
        for i in range(self.size["kafka_warm_rounds"]):
            for scenario, (groups, conns) in COMMITS.items():
                topic = f"warm{i}-{scenario}"  # and groups of that name, whose members stay
                self.load(server, "commit", "--topic", topic, *self.commits(groups, conns))
                self.load(server, "delete", "--topic", topic)
            self.load(server, "rebalance", "--topic", f"warm{i}", "--conns", self.size["members"],
                      "--passes", self.size["rebalances"])

    # -- one measurement ----------------------------------------------------

    def program(self, name):
        return str(self.build / "bench" / name)

    def load_command(self, server, mode, *args):
        command = [self.program("klamm-load"), mode, "--port", server.port, "--pid", server.pid,
                   *server.load_options, *args]
        return [str(c) for c in command]

    def load(self, server, mode, *args, timeout=LOAD_TIMEOUT):
        """Runs the load generator to its end and gives what it printed."""
        return self.run_json(self.load_command(server, mode, *args), timeout)

    def run_json(self, command, timeout=LOAD_TIMEOUT):
        try:
            done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=timeout)
        except subprocess.TimeoutExpired as e:
            raise BenchError(f"no end after {timeout} s: {command[1]}") from e
        if done.returncode != 0:
            raise BenchError(done.stderr.strip()[-500:] or f"status {done.returncode}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def keep(self, scenario, target, number, sample):
        self.samples.append(dict(sample, scenario=scenario, target=target, round=number))

    def attempt(self, scenario, target, number, action):
        """One measurement; what fails is reported and the rest goes on."""
        try:
            for name, sample in action():
                self.keep(name, target, number, sample)
        except (BenchError, OSError, ValueError) as e:
            self.errors.append(f"{scenario}, {target}, round {number + 1}: {e}")
            say(self.errors[-1])
            self.revive(target)

    def revive(self, target):
        """A server that died is started anew, for the rows to come."""
        server = self.servers.get(target)
        if server is None or server.is_alive():
            return
        say(f"{target} is gone, starting it again")
        try:
            server.stop()
            self.servers[target] = self.new_server(target).start()
        except BenchError as e:
            self.errors.append(str(e))

    def with_topic(self, target, ack, action):
        """Calls action(server, args) with a topic of its own, or a floor of its own."""
        self.topics += 1
        topic = f"bench{self.topics}"
        if target == "floor":
            server = self.new_server("floor").start()
            try:
                yield from action(server, ["--topic", topic])
            finally:
                server.stop()
            return
        server = self.servers[target]
        try:
            yield from action(server, ["--topic", topic, *server.topic_options[ack]])
        finally:
            try:
                self.load(server, "delete", "--topic", topic)
            except BenchError as e:
                say(f"{target}: topic {topic} was not deleted: {e}")

    def turns(self, number, *targets):
        """The targets of this run, in an order that rotates from round to round."""
        present = [t for t in targets if t in self.options.only]
        shift = number % max(1, len(present))
        return present[shift:] + present[:shift]

    def wants(self, *scenarios):
        return any(s in self.options.scenarios for s in scenarios)

    # -- scenarios ----------------------------------------------------------

    def big(self, size=None):
        return ["--conns", 4, "--partitions", 4, "--depth", 4, "--value-size", 1024,
                "--batch-bytes", 120 * 1024, "--bytes", size or self.size["bytes"]]

    def produce_in_pieces(self, server, topic):
        """Memory that is free for two seconds may be the host's again, and its first touch is several
        times dearer than the write: so each piece is short, and has memory made ready for it."""
        total = {}
        self.load(server, "create", *topic, "--partitions", 4)
        for piece in self.pieces():
            machine.warm_pages(self.directory, piece)
            sample = self.load(server, "produce", *topic, "--keep-topic", *self.big(piece))
            for name in ("requests", "records", "bytes", "seconds", "cpu_s", "system_s"):
                total[name] = total.get(name, 0) + sample[name]
        return dict(total, bytes_per_s=total["bytes"] / total["seconds"])

    def pieces(self):
        count = max(1, self.size["bytes"] // PIECE_BYTES)
        return [self.size["bytes"] // count] * count

    def big_batches(self, number):
        def action(server, topic):
            written = self.produce_in_pieces(server, topic)
            yield "produce", written
            fetch = ["fetch", *topic, *self.big(written["bytes"])]
            if number == 0:
                self.load(server, *fetch, "--check")
            yield "fetch", self.load(server, *fetch, "--passes", self.size["fetch_passes"])
            yield "fetch-1", self.load(server, *fetch, "--fetch-batches", 1, "--passes",
                                       self.size["fetch_passes"])
        for target in self.turns(number, "floor", "klamm", "kafka"):
            say(f"round {number + 1}: large batches, {target}")
            self.attempt("produce", target, number,
                         lambda: self.with_topic(target, "cache", action))

    def closed_loop(self, number, scenario, targets, conns, partitions):
        """targets: pairs of a server and the promise of its acks."""
        acks = dict(targets)

        def action(server, topic):
            yield scenario, self.load(server, "produce", *topic, "--conns", conns, "--partitions",
                                      partitions, "--seconds", self.size["seconds"],
                                      "--warm-seconds", self.size["warm"])
        for target in self.turns(number, *acks):
            say(f"round {number + 1}: {scenario}, {target}")
            self.attempt(scenario, target, number,
                         lambda: self.with_topic(target, acks[target], action))

    def small_requests(self, number):
        every = [("floor", "cache"), ("klamm", "cache"), ("kafka", "cache")]
        with machine.awake_cores():
            self.closed_loop(number, "small-1", every, 1, 1)
            self.closed_loop(number, "small-32", every, 32, 8)
        self.closed_loop(number, "small-1-halting", every, 1, 1)

    def durable(self, number):
        os.sync()
        time.sleep(SETTLE_SECONDS)
        for target in self.turns(number, "fdatasync", "klamm", "kafka"):
            if target == "fdatasync":
                say(f"round {number + 1}: fdatasync of this disk")
                self.attempt("durable-1", target, number, lambda: [("durable-1", self.run_json(
                    [self.program("klamm-fsync"), self.directory, self.size["seconds"]]))])
            else:
                self.closed_loop(number, "durable-1", [(target, "disk")], 1, 1)
        pair = [("klamm", "disk"), ("kafka", "cache")]
        self.closed_loop(number, "durable-32", pair, 32, 1)
        self.closed_loop(number, "durable-32-spread", pair, 32, 8)

    def end_to_end(self, number, rate):
        scenario = f"latency-{rate}"
        acks = {"klamm": "disk", "kafka": "cache"}

        def action(server, topic):
            yield scenario, self.load(server, "latency", *topic, "--rate", rate, "--seconds",
                                      self.size["latency_seconds"], "--warm-seconds", 1)
        for target in self.turns(number, "klamm", "kafka"):
            say(f"round {number + 1}: end to end at {rate}/s, {target}")
            self.attempt(scenario, target, number,
                         lambda: self.with_topic(target, acks[target], action))

    def commits(self, groups, conns):
        return ["--groups", groups, "--conns", conns, "--seconds",
                self.size["short_seconds"], "--warm-seconds", self.size["warm"]]

    def groups(self, number):
        """Klamm's commits are on disk when they are acknowledged, Kafka's in the page cache."""
        pair = ("klamm", "kafka")
        os.sync()
        for scenario, (groups, conns) in COMMITS.items():
            for target in self.turns(number, *pair):
                say(f"round {number + 1}: {scenario}, {target}")
                self.attempt(scenario, target, number, lambda: self.with_topic(
                    target, "disk", lambda server, topic: [(scenario, self.load(
                        server, "commit", *topic, *self.commits(groups, conns)))]))
        for target in self.turns(number, *pair):
            say(f"round {number + 1}: rebalance, {target}")
            self.attempt("rebalance", target, number, lambda: [("rebalance", self.load(
                self.servers[target], "rebalance", "--topic", f"rebalance{number}",
                "--conns", self.size["members"], "--passes", self.size["rebalances"],
                "--deaths", self.size["deaths"], "--session-ms", DEATH_SESSION_MS))])

    def metadata(self):
        """Servers of their own, which have many topics; they take turns as in any round."""
        servers = {}
        topics = ["--topics", self.size["topics"]]
        try:
            for target in self.turns(0, "klamm", "kafka"):
                say(f"{self.size['topics']} topics, {target}")
                servers[target] = self.new_server(target).start()
                self.keep("topics", target, 0, dict(
                    self.load(servers[target], "topics", *topics, timeout=TOPICS_TIMEOUT),
                    rss_kib=machine.status_kib(servers[target].pid, "VmRSS")))
                for named in (0, NAMED_TOPICS):
                    self.load(servers[target], "metadata", *topics, "--named", named,
                              "--seconds", KAFKA_WARM_SECONDS if target == "kafka" else 0)
            for number in range(self.size["rounds"]):
                for scenario, named in (("metadata-all", 0), ("metadata-named", NAMED_TOPICS)):
                    for target in self.turns(number, *servers):
                        self.keep(scenario, target, number, self.load(
                            servers[target], "metadata", *topics, "--named", named,
                            "--seconds", self.size["short_seconds"], "--warm-seconds", 0.2))
        except BenchError as e:
            self.errors.append(f"metadata: {e}")
            say(self.errors[-1])
        finally:
            for server in servers.values():
                server.stop()

    def members(self):
        """Klamm only: many groups that say nothing, and how soon they are there after a crash."""
        server = self.new_server("klamm").start()
        holder = None
        try:
            fresh = machine.status_kib(server.pid, "VmRSS")
            holder = subprocess.Popen(
                self.load_command(server, "groups", "--groups", self.size["groups"], "--members",
                                  self.size["group_members"], "--conns",
                                  self.size["group_conns"]),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            sample = self.next_line(holder)
            time.sleep(SETTLE_SECONDS)
            held = machine.status_kib(server.pid, "VmRSS")
            ticks = machine.cpu_ticks(server.pid)
            time.sleep(IDLE_SECONDS)
            sample["idle_ticks"] = machine.cpu_ticks(server.pid) - ticks
            sample["rss_kib"] = held
            sample["member_bytes"] = (held - fresh) * 1024 / sample["members"]
            port = server.port
            server.crash()
            holder.stdin.write(f"{time.monotonic_ns()}\n")
            holder.stdin.flush()
            server.start(port)
            sample.update(self.next_line(holder))
            time.sleep(SETTLE_SECONDS)
            sample["reloaded_rss_kib"] = machine.status_kib(server.pid, "VmRSS")
            yield "members", sample
        finally:
            if holder is not None:
                holder.stdin.close()
                holder.wait()
            server.stop()

    @staticmethod
    def next_line(holder):
        line = holder.stdout.readline()
        if not line:
            raise BenchError("the load generator ended")
        return json.loads(line)

    def idle(self, target):
        """A fresh server, first alone, then with many connections that say nothing."""
        server = self.new_server(target).start()
        holder = None
        try:
            time.sleep(SETTLE_SECONDS)
            ticks = machine.cpu_ticks(server.pid)
            time.sleep(IDLE_SECONDS)
            sample = {"idle_ticks": machine.cpu_ticks(server.pid) - ticks,
                      "rss_kib": machine.status_kib(server.pid, "VmRSS")}
            holder = subprocess.Popen(
                [self.program("klamm-load"), "idle", "--port", str(server.port), "--conns",
                 str(self.size["conns"])],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            line = holder.stdout.readline()
            if not line:
                raise BenchError(f"{target}: the idle connections were not opened")
            time.sleep(SETTLE_SECONDS)
            held = machine.status_kib(server.pid, "VmRSS")
            sample["conn_bytes"] = (held - sample["rss_kib"]) * 1024 / self.size["conns"]
            yield "idle", sample
        finally:
            if holder is not None:
                holder.stdin.close()
                holder.wait()
            server.stop()

    def start_time(self, target):
        for _ in range(self.size[target + "_starts"]):
            server = self.new_server(target)
            try:
                if target == "kafka":
                    server.prepare()
                    port = server.port
                else:
                    port = report.free_port()
                command = [self.program("klamm-load"), "start", "--port", port, "--",
                           *server.command(port)]
                yield "start", self.run_json(command)
            finally:
                server.stop()

    def ephemeral(self):
        """From fork to the line with the address of a broker in memory, as a test would start it."""
        for _ in range(self.size["klamm_starts"]):
            began = time.monotonic()
            broker = subprocess.Popen(
                [str(self.build / "klamm"), "serve", "--ephemeral", "--until-stdin-ends"],
                cwd=self.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL)
            line = broker.stdout.readline()
            sample = {"ready_ms": (time.monotonic() - began) * 1000}
            broker.communicate()
            if not line.strip():
                raise BenchError("klamm: the broker in memory did not start")
            yield "ephemeral", sample

    def look_around(self):
        """Our servers are idle now: whoever is busy is somebody else."""
        self.busy.append(round(machine.busy_share(), 3))
        if self.busy[-1] > report.BUSY_SHARE:
            say(f"others keep {self.busy[-1]:.0%} of this machine busy: figures will suffer")

    def rounds(self):
        self.start_servers()
        for number in range(self.size["rounds"]):
            self.look_around()
            if self.wants("produce"):
                with machine.awake_cores():
                    self.big_batches(number)
            if self.wants("small"):
                self.small_requests(number)
            if self.wants("durable"):
                self.durable(number)
            if self.wants("latency"):
                self.end_to_end(number, 500)
                self.end_to_end(number, 2000)
            if self.wants("groups"):
                self.groups(number)
        self.stop_servers()

    def run(self):
        self.look_around()
        if self.wants("produce", "small", "durable", "latency", "groups"):
            self.rounds()
        if self.wants("metadata"):
            self.metadata()
        if self.wants("members") and "klamm" in self.options.only:
            say("many groups, klamm")
            self.attempt("members", "klamm", 0, self.members)
        for target in ("klamm", "kafka"):
            if target not in self.options.only:
                continue
            if self.wants("idle"):
                say(f"idle, {target}")
                self.attempt("idle", target, 0, lambda: self.idle(target))
            if self.wants("start"):
                say(f"start, {target}")
                self.attempt("start", target, 0, lambda: self.start_time(target))
        if "klamm" in self.options.only and self.wants("start"):
            self.attempt("ephemeral", "klamm", 0, self.ephemeral)
        if self.wants("journal"):
            self.alone("journal", log_scenarios.journal)
        if self.wants("partitions"):
            self.alone("partitions", partition_scenarios.partitions)
        if self.wants("compact"):
            self.alone("compact", compact_scenarios.compact)
        if self.wants("coldread"):
            self.alone("coldread", log_scenarios.coldread)
        if self.wants("restart"):
            self.alone("restart", log_scenarios.restart)
        if self.wants("scan"):
            self.alone("scan", scan_scenarios.scan)

    def alone(self, name, scenario):
        """A scenario that has servers of its own for all of its rounds."""
        try:
            scenario(self)
        except (BenchError, OSError) as e:
            self.errors.append(f"{name}: {e}")
            say(self.errors[-1])


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, help="instead of the usual number")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build",
                        help="where klamm and bench/klamm-load are (build)")
    parser.add_argument("--dir", type=pathlib.Path,
                        help="where data goes: on the disk to measure (the build directory)")
    parser.add_argument("--only", default="floor,klamm,kafka,fdatasync",
                        help="some of floor,klamm,kafka,fdatasync")
    parser.add_argument("--scenarios", default=",".join(s for s in SCENARIOS if s not in ON_DEMAND),
                        help=f"some of {','.join(SCENARIOS)}; without "
                             f"{','.join(ON_DEMAND)} when not given")
    parser.add_argument("--fs", choices=("dir", "loop"), default="dir",
                        help="loop: data on a fresh ext4 with a journal, in a file; needs root")
    parser.add_argument("--seconds", type=float, help="of each closed loop, instead of 3")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "bench" / "results")
    parser.add_argument("--update-readme", action="store_true",
                        help="only put the last table between the markers in README.md")
    options = parser.parse_args()
    options.only = options.only.split(",")
    options.scenarios = options.scenarios.split(",")
    for name in set(options.scenarios) - set(SCENARIOS):
        parser.error(f"no scenario {name}")
    options.build = options.build.resolve()
    options.dir = (options.dir or options.build).resolve()
    return options


def check_programs(options):
    needed = [options.build / "bench" / p for p in ("klamm-load", "klamm-floor", "klamm-fsync")]
    if "klamm" in options.only:
        needed.append(options.build / "klamm")
    for path in needed:
        if not path.exists():
            sys.exit(f"bench: {path} is missing: `make bench` builds it")


@contextlib.contextmanager
def data_directory(options, outer):
    """Yields where servers put their data, and what is special about it."""
    if options.fs == "dir":
        yield outer, ""
        return
    with loop_disk.mounted(outer) as (directory, facts):
        yield directory, f" in a file on {machine.file_system(outer)} ({facts})"


def main():
    options = parse_options()
    if options.update_readme:
        return report.update_readme(ROOT / "README.md", options.results)
    check_programs(options)
    size = dict(QUICK if options.quick else FULL)
    size["rounds"] = options.rounds or size["rounds"]
    size["seconds"] = options.seconds or size["seconds"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    outer = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=options.dir))
    started = time.monotonic()
    try:
        with data_directory(options, outer) as (directory, facts):
            about = machine.describe(ROOT, options.build, directory)
            about["file_system"] += facts
            bench = Bench(options, size, directory)
            try:
                bench.run()
            finally:
                bench.stop_servers()
    except (BenchError, loop_disk.LoopError) as e:
        sys.exit(f"bench: {e}")
    finally:
        shutil.rmtree(outer, ignore_errors=True)
    about["minutes"] = round((time.monotonic() - started) / 60, 1)
    about["rounds"] = size["rounds"]
    about["busy_most"] = max(bench.busy)
    text = report.write(options.results, about, bench)
    print(text)
    return 1 if bench.errors else 0


if __name__ == "__main__":
    sys.exit(main())
