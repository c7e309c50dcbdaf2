# SPDX-License-Identifier: Apache-2.0
"""Consumer groups by confluent-kafka (librdkafka as PyPI has it)."""

import confluent_kafka as ck
import pytest
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import OffsetSpec

from confluent import admin, consumer, produce_all, read, results
from group_scenarios import LIMIT_S, SESSION_MS, GroupScenarios, create, spread, until_state
from groups import NAMES

T0 = 1700000000000


class TestConfluent(GroupScenarios):
    family = "confluent"

    def produce(self, broker, topic, records, codec="none"):
        rows = [{"partition": p, "value": v, **({} if at is None else {"timestamp": at})}
                for p, v, at in records]
        produce_all(broker, topic, rows, compression__type=codec, linger__ms=5)

    def test_seek_by_time(self, broker, topic, group):
        create(broker, topic, 2, retention__ms="-1")
        for i in range(10):  # a batch each
            self.produce(broker, topic, [(1, b"%d" % i, T0 + 1000 * i)])
        client = consumer(broker, group__id=group)
        partition = ck.TopicPartition(topic, 1, T0 + 4500)
        offset = client.offsets_for_times([partition], LIMIT_S)[0].offset
        assert offset == 5
        client.assign([ck.TopicPartition(topic, 1, offset)])
        assert [m.value() for m in read(client, 5)] == [b"5", b"6", b"7", b"8", b"9"]
        client.seek(ck.TopicPartition(topic, 1, 8))
        assert [m.value() for m in read(client, 2)] == [b"8", b"9"]
        client.close()

    def test_cooperative_members_keep_what_they_have(self, broker, topic, group, crew):
        """Partitions move one by one; the others are read meanwhile."""
        create(broker, topic, 4)
        self.produce(broker, topic, spread(range(400), 4))
        first = crew.hire(broker, topic, group, strategy="cooperative-sticky")
        crew.until_seen(range(400))
        second = crew.hire(broker, topic, group, strategy="cooperative-sticky")
        crew.until(lambda: second.assigned and len(second.assigned) == 2)
        self.produce(broker, topic, spread(range(400, 800), 4))
        crew.until_seen(range(800))
        assert {p for p, _, _ in second.records} == set(second.assigned)
        assert set(first.values()) | set(second.values()) == set(range(800))

    def test_commit_of_metadata_and_epoch(self, broker, topic, group):
        create(broker, topic, 1)
        client = consumer(broker, group__id=group)
        text = "\u00e4 " * 1000 + "end"
        wanted = ck.TopicPartition(topic, 0, 7, text, 0)
        client.commit(offsets=[wanted], asynchronous=False)
        back = client.committed([ck.TopicPartition(topic, 0)], LIMIT_S)[0]
        assert (back.offset, back.metadata, back.leader_epoch) == (7, text, 0)
        with pytest.raises(ck.KafkaException) as refusal:
            client.commit(offsets=[ck.TopicPartition(topic, 0, 8, "x" * 4097)], asynchronous=False)
        assert refusal.value.args[0].code() == ck.KafkaError.OFFSET_METADATA_TOO_LARGE
        client.close()

    def test_a_pattern_finds_what_is_made_later(self, broker, topic, group):
        create(broker, topic + "-a", 1)
        self.produce(broker, topic + "-a", [(0, b"1", None)])
        client = consumer(broker, group__id=group, auto__offset__reset="earliest",
                          topic__metadata__refresh__interval__ms="100")
        client.subscribe([f"^{topic}-.*"])
        assert read(client, 1)[0].value() == b"1"
        client.commit(asynchronous=False)
        create(broker, topic + "-b", 1)
        self.produce(broker, topic + "-b", [(0, b"2", None)])
        assert read(client, 1)[0].value() == b"2"
        client.close()

    def test_admin(self, broker, topic, group, crew):
        create(broker, topic, 2)
        self.produce(broker, topic, spread(range(100), 2))
        worker = crew.hire(broker, topic, group)
        crew.until_seen(range(100))
        client = admin(broker)

        def listed(**how):
            found = client.list_consumer_groups(**how).result(LIMIT_S)
            assert not found.errors
            return {g.group_id: g for g in found.valid}

        assert listed()[group].state == ConsumerGroupState.STABLE
        assert group in listed(states={ConsumerGroupState.STABLE})
        assert group not in listed(states={ConsumerGroupState.EMPTY})
        told = results(client.describe_consumer_groups(
            [group], include_authorized_operations=True))[group]
        assert (told.state, told.partition_assignor) == (ConsumerGroupState.STABLE, "range")
        assert [(t.topic, t.partition) for t in told.members[0].assignment.topic_partitions] == [
            (topic, 0), (topic, 1)]
        assert told.members[0].host == "/127.0.0.1"
        assert len(told.authorized_operations) == 5
        assert told.coordinator.id == 1
        with pytest.warns(DeprecationWarning):
            old = client.list_groups(group, timeout=LIMIT_S)
        assert [(g.id, g.state, g.protocol, len(g.members)) for g in old] == [
            (group, "Stable", "range", 1)]

        def offsets(partitions=None):
            asked = [ck.ConsumerGroupTopicPartitions(group, partitions)]
            found = results(client.list_consumer_group_offsets(asked))[group].topic_partitions
            return {(p.topic, p.partition): p.offset for p in found}

        assert offsets() == {(topic, 0): 50, (topic, 1): 50}
        change = [ck.ConsumerGroupTopicPartitions(group, [ck.TopicPartition(topic, 0, 10)])]
        told = results(client.alter_consumer_group_offsets(change))[group].topic_partitions
        assert [p.error.code() for p in told] == [ck.KafkaError.UNKNOWN_MEMBER_ID]
        with pytest.raises(ck.KafkaException) as refusal:
            results(client.delete_consumer_groups([group]))
        assert refusal.value.args[0].code() == ck.KafkaError.NON_EMPTY_GROUP
        worker.leave()
        until_state(broker, group, "Empty")
        results(client.alter_consumer_group_offsets(change))
        assert offsets([ck.TopicPartition(topic, 0)]) == {(topic, 0): 10}
        asked = {ck.TopicPartition(topic, 0): OffsetSpec.latest()}
        assert list(results(client.list_offsets(asked)).values())[0].offset == 50
        again = crew.hire(broker, topic, group)
        crew.until(lambda: len(again.records) >= 40)
        assert sorted(again.values()) == list(range(20, 100, 2))
        again.leave()
        until_state(broker, group, "Empty")
        results(client.delete_consumer_groups([group]))
        assert group not in listed()
        with pytest.raises(ck.KafkaException) as refusal:
            results(client.delete_consumer_groups([group]))
        assert refusal.value.args[0].code() == ck.KafkaError.GROUP_ID_NOT_FOUND
        assert offsets() == {}

    def test_auto_commit(self, broker, topic, group):
        create(broker, topic, 1)
        self.produce(broker, topic, spread(range(100), 1))
        for count in (60, 40):
            client = consumer(broker, group__id=group, enable__auto__commit=True,
                              auto__offset__reset="earliest", session__timeout__ms=SESSION_MS)
            client.subscribe([topic])
            assert len(read(client, count)) == count
            client.close()
        client = consumer(broker, group__id=group)
        assert client.committed([ck.TopicPartition(topic, 0)], LIMIT_S)[0].offset == 100
        client.close()

    def test_many_groups(self, broker, topic):
        """Each has its own offsets."""
        create(broker, topic, 1)
        names = [f"many-{next(NAMES)}" for _ in range(50)]
        for i, name in enumerate(names):
            client = consumer(broker, group__id=name)
            client.commit(offsets=[ck.TopicPartition(topic, 0, i)], asynchronous=False)
            client.close()
        client = admin(broker)
        for i, name in enumerate(names):
            asked = [ck.ConsumerGroupTopicPartitions(name)]
            told = results(client.list_consumer_group_offsets(asked))[name].topic_partitions
            assert [p.offset for p in told] == [i]
