# SPDX-License-Identifier: Apache-2.0
"""The start after a crash: what it costs to read all of a log again. Takes the run (run.Bench), starts
servers of its own, and leaves samples; docs/benchmarks.md says what its rows mean."""

import os
import time

import machine

PARTITIONS = 4
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Written in order, and what they hold is lost with the file: all is read again.
CHECKPOINT = "recovery-point-offset-checkpoint"
STOP_SECONDS = 120


def start_again(server):
    began = time.monotonic()
    server.again()
    return {"s": time.monotonic() - began, "cpu_s": machine.cpu_ticks(server.pid) / TICKS_PER_SECOND}


def log_bytes(data):
    return sum(f.stat().st_size for f in data.glob("scan-*/*.log"))


def measure(bench, target):
    """The crash's start less a clean one, which costs Kafka seconds of its JVM."""
    server = bench.new_server(target).start()
    data = server.server.data if target == "kafka" else server.directory / "data"
    topic = ["--topic", "scan", *server.topic_options["cache"]]
    try:
        bench.load(server, "create", *topic, "--partitions", PARTITIONS)
        for piece in bench.pieces():
            machine.warm_pages(bench.directory, piece)
            bench.load(server, "produce", *topic, "--keep-topic", *bench.big(piece))
        os.sync()
        server.crash()
        (data / CHECKPOINT).unlink(missing_ok=True)
        size = log_bytes(data)
        crashed = start_again(server)
        server.end(STOP_SECONDS)
        clean = start_again(server)
    finally:
        server.stop()
    cpu_s = crashed["cpu_s"] - clean["cpu_s"]
    return {"log_gb": size / 1e9, "start_s": crashed["s"], "clean_start_s": clean["s"],
            "scan_cpu_s": cpu_s, "gb_per_cpu_s": size / 1e9 / max(cpu_s, 0.01)}


def scan(bench):
    for number in range(bench.size["rounds"]):
        bench.look_around()
        for target in bench.turns(number, "klamm", "kafka"):
            bench.say(f"round {number + 1}: start after a crash, {target}")
            bench.keep("scan", target, number, measure(bench, target))
