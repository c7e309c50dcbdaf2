# SPDX-License-Identifier: Apache-2.0
"""aiokafka outside of groups: the administrator of topics, a large record, kills."""

import asyncio

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidPartitionsError, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition

from confluent import LIMIT_S, create
from test_crash import Load, kill_under, values

EXISTS, UNKNOWN_TOPIC, INVALID_CONFIG = 36, 3, 40


async def until(is_true):
    """Kafka's broker may know a thing later than its controller."""
    async def loop():
        while not await is_true():
            await asyncio.sleep(0.02)
    await asyncio.wait_for(loop(), LIMIT_S)


def producer(broker, **config):
    return aiokafka.AIOKafkaProducer(bootstrap_servers=broker.bootstrap, **config)


def test_admin_of_topics(broker, topic):
    async def run(admin):
        first = TopicPartition(topic, 0)
        new = NewTopic(topic, 2, 1, topic_configs={"retention.ms": "1234567"})
        assert (await admin.create_topics([new])).topic_errors[0][1] == 0
        assert (await admin.create_topics([new])).topic_errors[0][1] == EXISTS

        async def is_listed():
            return topic in await admin.list_topics()

        await until(is_listed)
        told = (await admin.describe_topics([topic]))[0]
        assert [p["leader"] for p in told["partitions"]] == [1, 1]

        async def config(key):
            asked = [ConfigResource(ConfigResourceType.TOPIC, topic)]
            rows = (await admin.describe_configs(asked))[0].resources[0][4]
            return next(row[1] for row in rows if row[0] == key)

        async def alter(value):
            changed = {"segment.bytes": value}
            asked = [ConfigResource(ConfigResourceType.TOPIC, topic, configs=changed)]
            return (await admin.alter_configs(asked))[0].resources[0][0]

        async def is_altered():
            return await config("segment.bytes") == "2000000"

        assert await config("retention.ms") == "1234567"
        assert await alter("2000000") == 0
        await until(is_altered)
        assert await config("retention.ms") == "604800000"  # what is not named is the default again
        assert await alter("many") == INVALID_CONFIG

        await admin.create_partitions({topic: NewPartitions(5)})
        with pytest.raises(InvalidPartitionsError):
            await admin.create_partitions({topic: NewPartitions(4)})
        async with producer(broker) as client:
            for partition in (0, 4):
                for i in range(10):
                    told = await client.send_and_wait(topic, b"%d" % i, partition=partition)
                    assert told.offset == i

        assert await admin.delete_records({first: RecordsToDelete(before_offset=4)}) == {first: 4}
        with pytest.raises(OffsetOutOfRangeError):
            await admin.delete_records({first: RecordsToDelete(before_offset=11)})
        async with aiokafka.AIOKafkaConsumer(bootstrap_servers=broker.bootstrap,
                                             auto_offset_reset="earliest") as reader:
            reader.assign([first])
            assert (await reader.getone()).value == b"4"

        assert (await admin.delete_topics([topic])).topic_error_codes[0][1] == 0

        async def is_gone():
            return not await is_listed()

        await until(is_gone)
        assert (await admin.delete_topics([topic])).topic_error_codes[0][1] == UNKNOWN_TOPIC

    async def connected():
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        try:
            await run(admin)
        finally:
            await admin.close()

    asyncio.run(connected())


def test_a_record_of_10_mb(broker, topic):
    create(broker, topic, max__message__bytes=12 << 20)
    value = bytes(range(256)) * (10 << 12)
    wanted = [b"before", value, b"after"]

    async def run():
        async with producer(broker, max_request_size=12 << 20) as client:
            for one in wanted:
                await client.send_and_wait(topic, one)
        for most in (20 << 20, 1 << 10):  # also by a consumer that asks for less than that
            async with aiokafka.AIOKafkaConsumer(
                    topic, bootstrap_servers=broker.bootstrap, fetch_max_bytes=most,
                    max_partition_fetch_bytes=most, auto_offset_reset="earliest") as reader:
                assert [(await reader.getone()).value for _ in range(3)] == wanted

    asyncio.run(run())


class AiokafkaLoad(Load):
    """Idempotent."""

    def run(self):
        asyncio.run(self.run_async())

    async def run_async(self):
        sent = []
        async with producer(self.broker, enable_idempotence=True, linger_ms=1,
                            retry_backoff_ms=20) as client:
            while not self.is_ended:
                some = [await client.send(self.topic, b"%d" % (len(sent) + i)) for i in range(50)]
                sent += [(await one).offset for one in some]
                self.acked = len(sent)
        assert sent == list(range(len(sent)))

    def verify(self):
        assert [int(v) for v in values(self.broker, self.topic)] == list(range(self.acked))


def test_kills(own_broker, topic):
    """SIGKILL in the middle of what is sent: each record once, in order."""
    create(own_broker, topic)
    kill_under(AiokafkaLoad(own_broker, topic), own_broker)
