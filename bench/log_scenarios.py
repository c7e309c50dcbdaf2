# SPDX-License-Identifier: Apache-2.0
"""The scenarios about the log. Each takes the run (run.Bench), starts servers of its own, and leaves
samples; docs/benchmarks.md says what their rows mean."""

import contextlib
import os
import time

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
