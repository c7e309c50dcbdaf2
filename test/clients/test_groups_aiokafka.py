# SPDX-License-Identifier: Apache-2.0
"""Consumer groups by aiokafka, which has a protocol of its own from kafka-python's past."""

import asyncio

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from group_scenarios import GroupScenarios, create, spread, until_state

T0 = 1700000000000


def lone(broker, group, *topics, **more):
    return aiokafka.AIOKafkaConsumer(*topics, bootstrap_servers=broker.bootstrap, group_id=group, **{
        "auto_offset_reset": "earliest", "enable_auto_commit": False, **more})


class TestAiokafka(GroupScenarios):
    family = "aiokafka"

    def produce(self, broker, topic, records, codec="none"):
        asyncio.run(self.produce_async(broker, topic, records, codec))

    async def produce_async(self, broker, topic, records, codec="none"):
        client = aiokafka.AIOKafkaProducer(
            bootstrap_servers=broker.bootstrap, linger_ms=5, enable_idempotence=True,
            compression_type=None if codec == "none" else codec)
        await client.start()
        sent = [await client.send(topic, value, partition=partition, timestamp_ms=at)
                for partition, value, at in records]
        for future in sent:
            await future
        await client.stop()

    def test_seek_by_time(self, broker, topic, group):
        async def run():
            for i in range(10):  # a batch each
                await self.produce_async(broker, topic, [(1, b"%d" % i, T0 + 1000 * i)])
            async with lone(broker, group) as client:
                partition = TopicPartition(topic, 1)
                client.assign([partition])
                found = (await client.offsets_for_times({partition: T0 + 4500}))[partition]
                assert (found.offset, found.timestamp) == (5, T0 + 5000)
                client.seek(partition, found.offset)
                assert [(await client.getone()).value for _ in range(5)] == [
                    b"5", b"6", b"7", b"8", b"9"]
                assert await client.end_offsets([partition]) == {partition: 10}
                await client.seek_to_beginning(partition)
                assert (await client.getone()).value == b"0"

        create(broker, topic, 2, retention__ms="-1")
        asyncio.run(run())

    def test_commit_of_metadata(self, broker, topic, group):
        async def run():
            async with lone(broker, group) as client:
                partition = TopicPartition(topic, 0)
                client.assign([partition])
                assert await client.committed(partition) is None
                await client.commit({partition: (7, "\u00e4 " * 1000 + "end")})
                assert await client.committed(partition) == 7
                with pytest.raises(aiokafka.errors.OffsetMetadataTooLargeError):
                    await client.commit({partition: (8, "x" * 4097)})

        create(broker, topic, 1)
        asyncio.run(run())

    def test_admin(self, broker, topic, group, crew):
        """It has no call that changes a group."""
        async def run():
            admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
            await admin.start()
            try:
                assert await admin.find_coordinator(group) == 1
                assert group in [g[0] for g in await admin.list_consumer_groups()]
                told = (await admin.describe_consumer_groups([group]))[0].groups[0]
                assert told[:5] == (0, group, "Stable", "consumer", "roundrobin")
                assert len(told[5]) == 1
                offsets = await admin.list_consumer_group_offsets(group)
                assert offsets == {TopicPartition(topic, p): OffsetAndMetadata(50, "")
                                   for p in (0, 1)}
                offsets = await admin.list_consumer_group_offsets(
                    group, partitions=[TopicPartition(topic, 1)])
                assert list(offsets) == [TopicPartition(topic, 1)]
            finally:
                await admin.close()

        create(broker, topic, 2)
        self.produce(broker, topic, spread(range(100), 2))
        worker = crew.hire(broker, topic, group)
        crew.until_seen(range(100))
        asyncio.run(run())
        worker.leave()
        until_state(broker, group, "Empty")

    def test_auto_commit(self, broker, topic, group):
        async def run(first, count):
            async with lone(broker, group, topic, enable_auto_commit=True) as client:
                got = [int((await client.getone()).value) for _ in range(count)]
                assert got == list(range(first, first + count))

        create(broker, topic, 1)
        self.produce(broker, topic, spread(range(100), 1))
        asyncio.run(run(0, 60))
        asyncio.run(run(60, 40))
