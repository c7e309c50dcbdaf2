# SPDX-License-Identifier: Apache-2.0
"""kafkajs, all of it JavaScript: the programs of js/, whose steps are tests; members of groups."""

import concurrent.futures
import json
import pathlib
import subprocess

import pytest

from conftest import Program
from group_scenarios import Crew, GroupScenarios, create
from test_java import passed

JS = pathlib.Path(__file__).resolve().parent / "js"


@pytest.fixture(scope="session")
def js(node_env):
    return lambda name, *args, **how: Program("node", env=node_env).run(JS / name, *args, **how)


@pytest.fixture(scope="module")
def admin_steps(js, shared_broker):
    """They go on while the records do: for most of its time kafkajs waits there (see admin.js)."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        yield pool.submit(js, "admin.js", shared_broker.bootstrap)


def test_records(js, broker, admin_steps):
    passed(js("records.js", broker.bootstrap), 8)


def test_admin(broker, admin_steps):
    passed(admin_steps.result(), 9)


def test_restarts(js, own_broker, topic, is_long):
    """SIGKILL in the middle of what is sent and read."""
    def restart(_):
        own_broker.kill()
        own_broker.start()

    create(own_broker, topic, 4)
    rounds = 20 if is_long else 2
    passed(js("restarts.js", own_broker.bootstrap, topic, rounds, on_ask=restart, limit_s=300), 1)


class TestKafkajs(GroupScenarios):
    family = "kafkajs"
    test_static_members_restart_without_a_rebalance = None  # it knows no group.instance.id
    test_from_the_beginning = None  # as in records.js

    @pytest.fixture(autouse=True)
    def use(self, node_env):
        self.env = node_env
        self.producers = {}
        yield
        for process in self.producers.values():
            process.stdin.close()
            process.wait()
            process.stdout.close()

    @pytest.fixture
    def crew(self):
        def member(told):
            return ["node", JS / "member.js", json.dumps(told)]

        crew = Crew(self.family, member, self.env)
        yield crew
        crew.end()

    def produce(self, broker, topic, records, codec="none"):
        if broker.bootstrap not in self.producers:
            self.producers[broker.bootstrap] = subprocess.Popen(
                ["node", JS / "produce.js", broker.bootstrap], text=True, env=self.env,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process = self.producers[broker.bootstrap]
        process.stdin.write(json.dumps({"topic": topic, "codec": codec, "records": [
            [partition, value.decode(), at] for partition, value, at in records]}) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "sent\n"
