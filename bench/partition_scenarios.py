# SPDX-License-Identifier: Apache-2.0
"""Many partitions: made, written to once each, at rest, and there again after a clean stop. Takes the
run (run.Bench), starts servers of its own, and leaves samples; docs/benchmarks.md says what its rows
mean."""

import os
import time

import machine

PER_TOPIC = 1000
FEW = 10_000  # as many as Kafka is asked for, too
MANY = 100_000
SETTLE_SECONDS = 3
IDLE_SECONDS = 10
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
LOAD_TIMEOUT = 1500
STOP_SECONDS = 600


def restart(server, sample):
    """A clean stop and a start with what is there."""
    before = time.monotonic()
    server.end(STOP_SECONDS)
    sample["stop_s"] = time.monotonic() - before
    before = time.monotonic()
    server.again()
    sample["restart_s"] = time.monotonic() - before
    sample["restart_cpu_s"] = machine.cpu_ticks(server.pid) / TICKS_PER_SECOND


def at_rest(server, sample, fresh_kib, count):
    time.sleep(SETTLE_SECONDS)
    rss_kib = machine.status_kib(server.pid, "VmRSS")
    sample["rss_kib"] = rss_kib
    sample["partition_bytes"] = (rss_kib - fresh_kib) * 1024 / count
    ticks = machine.cpu_ticks(server.pid)
    time.sleep(IDLE_SECONDS)
    sample["idle_ticks"] = machine.cpu_ticks(server.pid) - ticks


def measure(bench, target, count):
    server = bench.new_server(target).start()
    try:
        time.sleep(SETTLE_SECONDS)
        fresh_kib = machine.status_kib(server.pid, "VmRSS")
        load = ["partitions", "--topics", count // PER_TOPIC, "--partitions", PER_TOPIC,
                "--value-size", 100]
        sample = bench.load(server, *load, timeout=LOAD_TIMEOUT)
        sample["create_cpu_s_per_1000"] = sample["create_cpu_s"] * 1000 / count
        at_rest(server, sample, fresh_kib, count)
        restart(server, sample)
        sample["again"] = bench.load(server, *load, "--keep-topic", timeout=LOAD_TIMEOUT)
        bench.keep(f"partitions-{count}", target, 0, sample)
    finally:
        server.stop()


def partitions(bench):
    for target in bench.turns(0, "klamm", "kafka"):
        bench.say(f"{FEW} partitions, {target}")
        measure(bench, target, FEW)
    if "klamm" in bench.options.only:
        bench.say(f"{MANY} partitions, klamm")
        measure(bench, "klamm", MANY)
