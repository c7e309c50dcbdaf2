# SPDX-License-Identifier: Apache-2.0
"""Consumer groups by kafka-python, which is written in Python to the last byte."""

import kafka
import pytest
from kafka.admin import MemberToRemove
from kafka.errors import NoError, UnknownMemberIdError

from group_scenarios import GroupScenarios, create, spread, until_state

T0 = 1700000000000


@pytest.fixture
def admin(broker):
    client = kafka.KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    yield client
    client.close()


class TestKafkaPython(GroupScenarios):
    family = "kafka-python"

    def produce(self, broker, topic, records, codec="none"):
        client = kafka.KafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=5,
                                     compression_type=None if codec == "none" else codec)
        sent = [client.send(topic, value, partition=partition, timestamp_ms=at)
                for partition, value, at in records]
        client.flush(60)
        assert all(s.succeeded() for s in sent)
        client.close()

    def test_seek_by_time(self, broker, topic, group):
        create(broker, topic, 2, retention__ms="-1")
        for i in range(10):  # a batch each
            self.produce(broker, topic, [(1, b"%d" % i, T0 + 1000 * i)])
        client = kafka.KafkaConsumer(bootstrap_servers=broker.bootstrap, group_id=group,
                                     enable_auto_commit=False, auto_offset_reset="earliest")
        partition = kafka.TopicPartition(topic, 1)
        client.assign([partition])
        found = client.offsets_for_times({partition: T0 + 4500})[partition]
        assert (found.offset, found.timestamp) == (5, T0 + 5000)
        assert client.offsets_for_times({partition: T0 + 9001})[partition] is None
        client.seek(partition, found.offset)
        assert [next(client).value for _ in range(5)] == [b"5", b"6", b"7", b"8", b"9"]
        assert client.end_offsets([partition]) == {partition: 10}
        assert client.beginning_offsets([partition]) == {partition: 0}
        client.close()

    def test_commit_of_metadata(self, broker, topic, group):
        create(broker, topic, 1)
        client = kafka.KafkaConsumer(bootstrap_servers=broker.bootstrap, group_id=group,
                                     enable_auto_commit=False)
        partition = kafka.TopicPartition(topic, 0)
        client.assign([partition])
        assert client.committed(partition) is None
        wanted = kafka.OffsetAndMetadata(7, "\u00e4 " * 1000 + "end", 0)
        client.commit({partition: wanted})
        assert client.committed(partition) == 7
        assert client.committed(partition, metadata=True) == wanted
        with pytest.raises(kafka.errors.OffsetMetadataTooLargeError):
            client.commit({partition: kafka.OffsetAndMetadata(8, "x" * 4097, -1)})
        client.close()

    def test_admin(self, broker, topic, group, crew, admin):
        create(broker, topic, 2)
        self.produce(broker, topic, spread(range(100), 2))
        worker = crew.hire(broker, topic, group, instance=group + "-i")
        crew.until_seen(range(100))
        zero, one = [kafka.TopicPartition(topic, p) for p in (0, 1)]

        def listed(**how):
            return {g["group_id"]: g for g in admin.list_groups(**how)}

        assert listed()[group]["group_state"] == "Stable"
        assert group in listed(states_filter=["Stable"], types_filter=["classic"])
        assert group not in listed(states_filter=["Empty"])
        told = admin.describe_groups([group])[group]
        assert (told["error"], told["group_state"], told["protocol_data"]) == (
            None, "Stable", "range")
        member = told["members"][0]
        assert (member["group_instance_id"], member["client_host"]) == (group + "-i", "/127.0.0.1")

        def offsets(partitions=None):
            found = admin.list_group_offsets({group: partitions})[group]
            return {p.partition: o.offset for p, o in found.items()}

        assert offsets() == {0: 50, 1: 50}
        change = {zero: kafka.OffsetAndMetadata(10, "", -1)}
        assert admin.alter_group_offsets(group, change) == {zero: UnknownMemberIdError}
        assert admin.delete_groups([group]) == {group: "NonEmptyGroupError"}
        assert admin.delete_group_offsets(group, [zero])[zero].errno == 86
        told = admin.remove_group_members(group, [MemberToRemove(group_instance_id=group + "-i"),
                                                  MemberToRemove(group_instance_id="none")])
        assert sorted(e.errno for e in told.values()) == [0, 25]
        worker.kill()
        # It may have come again before it was killed; then it is still to be removed.
        admin.remove_group_members(group, [MemberToRemove(group_instance_id=group + "-i")])
        until_state(broker, group, "Empty")
        assert admin.alter_group_offsets(group, change) == {zero: NoError}
        assert offsets() == {0: 10, 1: 50}
        assert offsets([zero]) == {0: 10}
        told = admin.reset_group_offsets(group, {one: kafka.OffsetSpec.EARLIEST})
        assert told[one]["offset"] == 0
        assert admin.delete_group_offsets(group, [zero]) == {zero: NoError}
        assert offsets() == {1: 0}
        assert admin.list_partition_offsets({zero: kafka.OffsetSpec.LATEST})[zero].offset == 50
        assert admin.delete_groups([group, "none"]) == {group: "OK", "none": "GroupIdNotFoundError"}
        assert group not in listed()

    def test_auto_commit(self, broker, topic, group):
        create(broker, topic, 1)
        self.produce(broker, topic, spread(range(100), 1))
        for first, count in ((0, 60), (60, 40)):
            client = kafka.KafkaConsumer(topic, bootstrap_servers=broker.bootstrap, group_id=group,
                                         auto_offset_reset="earliest", max_poll_records=1)
            assert [int(next(client).value) for _ in range(count)] == list(
                range(first, first + count))
            client.close()
