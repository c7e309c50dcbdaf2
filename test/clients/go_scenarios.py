# SPDX-License-Identifier: Apache-2.0
"""What both client libraries of Go have to be able to do: the scenarios of groups, with members that
are processes of golang/, and the steps of that program. Each test file makes a class of it."""

import itertools
import json
import subprocess

import pytest

from batch import ATTRIBUTES_POS
from conftest import Program
from group_scenarios import CODECS, LIMIT_S, Crew, GroupScenarios, create
from wire import Wire


def passed(results, count):
    assert {k: v for k, v in results.items() if v != "ok"} == {}
    assert len(results) == count


class GoScenarios(GroupScenarios):
    @pytest.fixture(autouse=True)
    def _golang(self, golang):
        self.golang = golang

    @pytest.fixture
    def crew(self, golang):
        def member(told):
            return [golang, self.family, "member", json.dumps(told)]

        crew = Crew(self.family, member)
        yield crew
        crew.end()

    def steps(self, count, *args, **how):
        passed(Program(self.golang, self.family).run(*args, **how), count)

    def produce(self, broker, topic, records, codec="none"):
        lines = "".join(f"{partition} {-1 if at is None else at} {value.decode()}\n"
                        for partition, value, at in records)
        subprocess.run([self.golang, self.family, "produce", broker.bootstrap, topic, codec],
                       input=lines, text=True, check=True, timeout=LIMIT_S)

    def test_each_codec_is_stored_as_it_came(self, broker, topic):
        create(broker, topic, len(CODECS))
        for number, codec in enumerate(CODECS):
            self.produce(broker, topic, [(number, b"x" * 1000, None)] * 10, codec)
        with Wire(broker.bootstrap) as wire:
            for number in range(len(CODECS)):
                rows = [{"Partition": number, "FetchOffset": 0, "PartitionMaxBytes": 1 << 20}]
                answer = wire.ask("Fetch", 12, MaxWaitMs=0, MinBytes=0, MaxBytes=1 << 20,
                                  Topics=[{"Topic": topic, "Partitions": rows}])
                data = answer["Responses"][0]["Partitions"][0]["Records"]
                assert data[ATTRIBUTES_POS + 1] & 7 == number

    def test_admin(self, broker):
        self.steps(14, "admin", broker.bootstrap)

    def test_records(self, broker):
        self.steps(2, "records", broker.bootstrap)

    def test_restarts(self, own_broker, topic, is_long, is_kafka):
        """SIGKILL and SIGTERM by turns, in the middle of what is sent."""
        create(own_broker, topic, 1)
        turns = itertools.count()

        def restart(_):
            if next(turns) % 3 == 2:
                own_broker.stop()
            else:
                own_broker.kill()
            own_broker.start()

        rounds = 3 if is_kafka else 50 if is_long else 12
        self.steps(1, "restarts", own_broker.bootstrap, topic, rounds, on_ask=restart, limit_s=300)
        assert next(turns) == rounds
