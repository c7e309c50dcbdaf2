// SPDX-License-Identifier: Apache-2.0

import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** The administration client of kafka-clients, where the cluster is looked after. */
final class Upkeep extends Scenario {
    private static final TopicPartition FIRST = new TopicPartition("ju", 0);

    private final AdminClient admin;

    private Upkeep(String bootstrap) {
        super(bootstrap);
        admin = AdminClient.create(config());
    }

    public static void main(String[] args) {
        Upkeep u = new Upkeep(args[0]);
        u.step("prepare", u::prepare);
        u.step("create partitions", u::createPartitions);
        u.step("describe page by page", u::describePages);
        u.step("delete records", u::deleteRecords);
        u.step("describe log dirs", u::describeLogDirs);
        u.step("configs of brokers", u::brokerConfigs);
        u.step("log levels", u::logLevels);
        u.admin.close();
    }

    private void prepare() throws Exception {
        get(admin.createTopics(List.of(new NewTopic("ju", 2, (short) 1))).all());
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            for (int i = 0; i < 10; i++)
                producer.send(new ProducerRecord<>("ju", 0, null, new byte[100])).get();
        }
    }

    private void createPartitions() throws Exception {
        get(admin.createPartitions(Map.of("ju", NewPartitions.increaseTo(5, List.of(List.of(1), List.of(1), List.of(1)))))
                .all());
        same("InvalidPartitionsException", refusal(admin.createPartitions(Map.of("ju", NewPartitions.increaseTo(4))).all()));
        same("UnknownTopicOrPartitionException",
                refusal(admin.createPartitions(Map.of("none", NewPartitions.increaseTo(4))).all()));
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            producer.send(new ProducerRecord<>("ju", 4, null, new byte[1])).get();
        }
    }

    private void describePages() throws Exception {
        DescribeTopicsOptions pages = new DescribeTopicsOptions().partitionSizeLimitPerResponse(2);
        same(5, get(admin.describeTopics(List.of("ju"), pages).allTopicNames()).get("ju").partitions().size());
    }

    private long earliest() throws Exception {
        return get(admin.listOffsets(Map.of(FIRST, OffsetSpec.earliest())).partitionResult(FIRST)).offset();
    }

    private long deleted(long offset) throws Exception {
        var result = admin.deleteRecords(Map.of(FIRST, RecordsToDelete.beforeOffset(offset)));
        return get(result.lowWatermarks().get(FIRST)).lowWatermark();
    }

    private void deleteRecords() throws Exception {
        same(4L, deleted(4));
        same(4L, deleted(2));
        same(4L, earliest());
        same("OffsetOutOfRangeException",
                refusal(admin.deleteRecords(Map.of(FIRST, RecordsToDelete.beforeOffset(11))).all()));
        same(10L, deleted(-1));
        same(10L, earliest());
    }

    private void describeLogDirs() throws Exception {
        var dirs = get(admin.describeLogDirs(Set.of(1)).allDescriptions()).get(1);
        same(1, dirs.size());
        var dir = dirs.values().iterator().next();
        that(dir.totalBytes().getAsLong() > dir.usableBytes().getAsLong(), "room on the disk");
        that(dir.replicaInfos().get(FIRST).size() > 0, "a size");
        same(0L, dir.replicaInfos().get(FIRST).offsetLag());
        that(dir.replicaInfos().containsKey(new TopicPartition("ju", 4)), "all partitions");
    }

    private void alter(ConfigResource resource, String key, String value) throws Exception {
        var type = value == null ? AlterConfigOp.OpType.DELETE : AlterConfigOp.OpType.SET;
        get(admin.incrementalAlterConfigs(
                Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry(key, value), type)))).all());
    }

    private ConfigEntry entry(ConfigResource resource, String key) throws Exception {
        return get(admin.describeConfigs(List.of(resource)).all()).get(resource).get(key);
    }

    private void brokerConfigs() throws Exception {
        ConfigResource one = new ConfigResource(ConfigResource.Type.BROKER, "1");
        ConfigResource all = new ConfigResource(ConfigResource.Type.BROKER, "");
        String key = "log.roll.ms";
        alter(all, key, "7000000");
        alter(one, key, "8000000");
        same("7000000", entry(all, key).value());
        until("8000000", () -> entry(one, key).value());
        same(ConfigEntry.ConfigSource.DYNAMIC_BROKER_CONFIG, entry(one, key).source());
        alter(one, key, null);
        until(ConfigEntry.ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG, () -> entry(one, key).source());
        alter(all, key, null);
        same("InvalidRequestException", refusal(admin.incrementalAlterConfigs(Map.of(one, List.of(
                new AlterConfigOp(new ConfigEntry("log.dirs", "/x"), AlterConfigOp.OpType.SET)))).all()));
    }

    private interface Value {
        Object get() throws Exception;
    }

    /** Kafka's broker may know it later than its controller. */
    private static void until(Object wanted, Value value) throws Exception {
        long deadline = System.nanoTime() + LIMIT_S * 1000000000L;
        while (!wanted.equals(value.get()))
            that(System.nanoTime() < deadline, "wanted " + wanted + ", got " + value.get());
    }

    private void logLevels() throws Exception {
        ConfigResource logger = new ConfigResource(ConfigResource.Type.BROKER_LOGGER, "1");
        alter(logger, "root", "WARN");
        that(entry(logger, "root").value() != null, "a level");
    }
}
