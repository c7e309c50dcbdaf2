# SPDX-License-Identifier: Apache-2.0
"""Compaction: what a round over a log of which nothing was compacted costs. Takes the run (run.Bench),
starts servers of its own, and leaves samples; docs/benchmarks.md says what its rows mean."""

import os
import random
import sys
import time

import machine
from servers import ROOT, BenchError

sys.path.insert(0, str(ROOT / "test" / "clients"))
import batch  # noqa: E402
from wire import Wire  # noqa: E402

LOG_BYTES = 256 << 20
SEGMENT_BYTES = 16 << 20
BATCHES = 150  # different ones, sent again and again in a random order
RECORDS = 100
KEYS = 10_000
VALUE_BYTES = 120
IDLE_SECONDS = 5
LIMIT_SECONDS = 120
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
TOPIC, SET = 2, 0  # of IncrementalAlterConfigs


def make_batches():
    drawn = random.Random(1)
    return [batch.batch(b"".join(batch.record(i, b"key-%08d" % drawn.randrange(KEYS),
                                              drawn.randbytes(VALUE_BYTES))
                                 for i in range(RECORDS)), count=RECORDS)
            for _ in range(BATCHES)]


def expect(error):
    if error != 0:
        raise BenchError(f"answered with error {error}")


def fill(wire, topic, batches):
    """So many bytes of batches, and as much again as closes the last segment."""
    answer = wire.ask("CreateTopics", 7, timeoutMs=30000, Topics=[{
        "Name": topic, "NumPartitions": 1, "ReplicationFactor": 1,
        "Configs": [{"Name": "segment.bytes", "Value": str(SEGMENT_BYTES)}]}])
    expect(answer["Topics"][0]["ErrorCode"])
    drawn, sent = random.Random(2), 0
    while sent < LOG_BYTES + SEGMENT_BYTES:
        data = drawn.choice(batches)
        answer = wire.ask("Produce", 9, Acks=1, TimeoutMs=30000, TopicData=[
            {"Name": topic, "PartitionData": [{"Index": 0, "Records": data}]}])
        error = answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"]
        if error in (3, 6) and sent == 0:  # Kafka's partition may be there later than its topic
            time.sleep(0.1)
            continue
        expect(error)
        sent += len(data)


def cleaned_to(data, topic):
    path = data / "cleaner-offset-checkpoint"
    lines = path.read_text().splitlines() if path.exists() else []
    return max([int(line.split()[2]) for line in lines if line.startswith(topic + " ")], default=0)


def compact_one(wire, server, data, topic):
    """CPU from the change of the policy to the end of the first round, without what rest costs."""
    ticks = machine.cpu_ticks(server.pid)
    time.sleep(IDLE_SECONDS)
    idle = (machine.cpu_ticks(server.pid) - ticks) / IDLE_SECONDS
    size = sum(f.stat().st_size for f in (data / f"{topic}-0").glob("*.log"))
    ticks, began = machine.cpu_ticks(server.pid), time.monotonic()
    answer = wire.ask("IncrementalAlterConfigs", 1, Resources=[{
        "ResourceType": TOPIC, "ResourceName": topic,
        "Configs": [{"Name": "cleanup.policy", "ConfigOperation": SET, "Value": "compact"}]}])
    expect(answer["Responses"][0]["ErrorCode"])
    while cleaned_to(data, topic) == 0:
        if time.monotonic() > began + LIMIT_SECONDS:
            raise BenchError(f"{topic} was not compacted within {LIMIT_SECONDS} s")
        time.sleep(0.05)
    took = time.monotonic() - began
    cpu_s = (machine.cpu_ticks(server.pid) - ticks - idle * took) / TICKS_PER_SECOND
    return {"log_mb": size / 1e6, "cpu_s": cpu_s, "mb_per_cpu_s": size / 1e6 / max(cpu_s, 0.01)}


def compact(bench):
    """A first round warms Kafka's JVM and is not kept."""
    batches = make_batches()
    for target in bench.turns(0, "klamm", "kafka"):
        bench.say(f"compact, {target}")
        server = bench.new_server(target).start()
        data = server.server.data if target == "kafka" else server.directory / "data"
        try:
            with Wire(f"127.0.0.1:{server.port}") as wire:
                for number in range(bench.size["rounds"] + 1):
                    topic = f"compact{number}"
                    fill(wire, topic, batches)
                    sample = compact_one(wire, server, data, topic)
                    if number > 0:
                        bench.keep("compact", target, number - 1, sample)
        finally:
            server.stop()
