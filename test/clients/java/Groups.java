// SPDX-License-Identifier: Apache-2.0

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;

/** Members of classic groups in kafka-clients, and the groups as its administration client sees them. */
final class Groups extends Scenario {
    private static final String TOPIC = "jg";
    private static final int PARTITIONS = 4;
    private static final int RECORDS = 400;

    private final AdminClient admin;

    private Groups(String bootstrap) {
        super(bootstrap);
        admin = AdminClient.create(config());
    }

    public static void main(String[] args) {
        Groups g = new Groups(args[0]);
        g.step("prepare", g::prepare);
        g.step("members share, range", () -> g.membersShare(RangeAssignor.class));
        g.step("members share, cooperative", () -> g.membersShare(CooperativeStickyAssignor.class));
        g.step("what is committed is where the next begins", g::resume);
        g.step("no offset", g::noOffset);
        g.step("a static member comes back", g::staticMember);
        g.step("lists and descriptions", g::describe);
        g.step("offsets by the administrator", g::adminOffsets);
        g.step("members are removed", g::removeMembers);
        g.step("a member lives through a kill of the broker", g::kill);
        g.admin.close();
    }

    private KafkaConsumer<byte[], byte[]> member(String group, Object... pairs) {
        List<Object> all = new ArrayList<>(List.of("group.id", group, "auto.offset.reset", "earliest",
                "heartbeat.interval.ms", 100, "session.timeout.ms", 10000, "reconnect.backoff.ms", 10,
                "reconnect.backoff.max.ms", 50));
        all.addAll(List.of(pairs));
        return consumer(all.toArray());
    }

    private static byte[] number(int i) {
        return ByteBuffer.allocate(4).putInt(i).array();
    }

    private void send(int from, int to) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            for (int i = from; i < to; i++)
                producer.send(new ProducerRecord<>(TOPIC, i % PARTITIONS, null, number(i)));
        }
    }

    private void prepare() throws Exception {
        get(admin.createTopics(List.of(new NewTopic(TOPIC, PARTITIONS, (short) 1))).all());
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            while (consumer.partitionsFor(TOPIC).size() != PARTITIONS)
                Thread.onSpinWait();
        }
        send(0, RECORDS);
    }

    /** Polls the members by turns until each has so many partitions, and all together all. */
    private static void settle(int each, List<KafkaConsumer<byte[], byte[]>> members, Set<Integer> seen) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_S);
        while (true) {
            Set<TopicPartition> together = new HashSet<>();
            boolean settled = true;
            for (var member : members) {
                for (var record : member.poll(Duration.ofMillis(20)))
                    seen.add(ByteBuffer.wrap(record.value()).getInt());
                settled &= member.assignment().size() == each;
                together.addAll(member.assignment());
            }
            if (settled && together.size() == PARTITIONS)
                return;
            that(System.nanoTime() < deadline, "the members did not settle");
        }
    }

    private void membersShare(Class<?> assignor) throws Exception {
        String group = "share-" + assignor.getSimpleName();
        Set<Integer> seen = new HashSet<>();
        try (var one = member(group, "partition.assignment.strategy", assignor.getName())) {
            one.subscribe(List.of(TOPIC));
            settle(4, List.of(one), seen);
            try (var two = member(group, "partition.assignment.strategy", assignor.getName())) {
                two.subscribe(List.of(TOPIC));
                settle(2, List.of(one, two), seen);
            }
            settle(4, List.of(one), seen);
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_S);
            while (seen.size() < RECORDS) {
                settle(4, List.of(one), seen);
                that(System.nanoTime() < deadline, seen.size() + " records");
            }
        }
    }

    private void resume() throws Exception {
        TopicPartition first = new TopicPartition(TOPIC, 0);
        try (var one = member("resume")) {
            one.subscribe(List.of(TOPIC));
            read(one, RECORDS);
            one.commitSync(Map.of(first, new OffsetAndMetadata(60, "sixty")));
        }
        try (var two = member("resume", "auto.offset.reset", "latest")) {
            two.subscribe(List.of(TOPIC));
            same(40, read(two, 40).size());
            var committed = two.committed(Set.of(first)).get(first);
            same(60L, committed.offset());
            same("sixty", committed.metadata());
            two.commitSync();
            same(100L, two.committed(Set.of(first)).get(first).offset());
        }
    }

    private void noOffset() {
        try (var one = member("nothing-committed", "auto.offset.reset", "none")) {
            one.subscribe(List.of(TOPIC));
            read(one, 1);
            that(false, "a record");
        } catch (NoOffsetForPartitionException e) {
            same(PARTITIONS, e.partitions().size());
        }
    }

    private void staticMember() throws Exception {
        AtomicInteger revoked = new AtomicInteger();
        Set<Integer> seen = new HashSet<>();
        try (var one = member("static", "group.instance.id", "a")) {
            one.subscribe(List.of(TOPIC), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    revoked.incrementAndGet();
                }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                }
            });
            Set<TopicPartition> before;
            try (var two = member("static", "group.instance.id", "b")) {
                two.subscribe(List.of(TOPIC));
                settle(2, List.of(one, two), seen);
                before = Set.copyOf(two.assignment());
                revoked.set(0);
            }
            try (var two = member("static", "group.instance.id", "b")) {
                two.subscribe(List.of(TOPIC));
                settle(2, List.of(one, two), seen);
                same(before, two.assignment());
            }
            same(0, revoked.get());
        }
        var members = get(admin.describeConsumerGroups(List.of("static")).all()).get("static").members();
        same(2, members.size()); // a static member that goes has not left
    }

    private void describe() throws Exception {
        try (var one = member("described", "client.id", "me")) {
            one.subscribe(List.of(TOPIC));
            settle(4, List.of(one), new HashSet<>());
            var group = get(admin.describeConsumerGroups(List.of("described")).all()).get("described");
            same(GroupState.STABLE, group.groupState());
            same("range", group.partitionAssignor());
            same(1, group.members().size());
            var member = group.members().iterator().next();
            same("me", member.clientId());
            same(PARTITIONS, member.assignment().topicPartitions().size());
            that(get(admin.listGroups().all()).stream().anyMatch(g -> g.groupId().equals("described")), "listed");
            same("GroupNotEmptyException", refusal(admin.deleteConsumerGroups(List.of("described")).all()));
        }
        get(admin.deleteConsumerGroups(List.of("described")).all());
        that(get(admin.listGroups().all()).stream().noneMatch(g -> g.groupId().equals("described")), "deleted");
        same("GroupIdNotFoundException", refusal(admin.deleteConsumerGroups(List.of("described")).all()));
    }

    private void adminOffsets() throws Exception {
        TopicPartition first = new TopicPartition(TOPIC, 0);
        TopicPartition second = new TopicPartition(TOPIC, 1);
        get(admin.alterConsumerGroupOffsets("altered", Map.of(first, new OffsetAndMetadata(7), second,
                new OffsetAndMetadata(8, "m"))).all());
        var offsets = get(admin.listConsumerGroupOffsets("altered").partitionsToOffsetAndMetadata());
        same(7L, offsets.get(first).offset());
        same("m", offsets.get(second).metadata());
        get(admin.deleteConsumerGroupOffsets("altered", Set.of(first)).all());
        same(Set.of(second), get(admin.listConsumerGroupOffsets("altered").partitionsToOffsetAndMetadata()).keySet());
        try (var one = member("altered")) {
            one.subscribe(List.of(TOPIC));
            same(RECORDS - 8, read(one, RECORDS - 8).size());
            same("UnknownMemberIdException", refusal(admin.alterConsumerGroupOffsets("altered",
                    Map.of(first, new OffsetAndMetadata(1))).all()));
            same("GroupSubscribedToTopicException",
                    refusal(admin.deleteConsumerGroupOffsets("altered", Set.of(second)).all()));
        }
    }

    private void removeMembers() throws Exception {
        get(admin.removeMembersFromConsumerGroup("static",
                new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("a")))).all());
        var group = get(admin.describeConsumerGroups(List.of("static")).all()).get("static");
        same(1, group.members().size());
        get(admin.removeMembersFromConsumerGroup("static", new RemoveMembersFromConsumerGroupOptions()).all());
        same(GroupState.EMPTY, get(admin.describeConsumerGroups(List.of("static")).all()).get("static").groupState());
    }

    private void kill() throws Exception {
        try (var one = member("killed")) {
            one.subscribe(List.of(TOPIC));
            read(one, RECORDS);
            one.commitSync();
            ask("restart");
            send(RECORDS, RECORDS + 40);
            Set<Integer> seen = new HashSet<>();
            for (var record : read(one, 40))
                seen.add(ByteBuffer.wrap(record.value()).getInt());
            same(40, seen.size());
            that(seen.stream().allMatch(n -> n >= RECORDS), "none twice");
            one.commitSync();
            one.close(CloseOptions.timeout(Duration.ofSeconds(LIMIT_S)));
        }
        var offsets = get(admin.listConsumerGroupOffsets("killed").partitionsToOffsetAndMetadata());
        for (int p = 0; p < PARTITIONS; p++)
            same(110L, offsets.get(new TopicPartition(TOPIC, p)).offset());
    }
}
