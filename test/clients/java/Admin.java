// SPDX-License-Identifier: Apache-2.0

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;

/** The administration client of kafka-clients. */
final class Admin extends Scenario {
    private static final String UNKNOWN = "UnknownTopicOrPartitionException";

    private final AdminClient admin;
    private Uuid firstId;

    private Admin(String bootstrap) {
        super(bootstrap);
        admin = AdminClient.create(config());
    }

    public static void main(String[] args) {
        Admin a = new Admin(args[0]);
        a.step("create", a::create);
        a.step("create refused", a::createRefused);
        a.step("validate only", a::validateOnly);
        a.step("list topics", () -> that(get(a.admin.listTopics().names()).contains("ja"), "listed"));
        a.step("describe topics", a::describeTopics);
        a.step("describe topics by id", a::describeById);
        a.step("describe cluster", a::describeCluster);
        a.step("describe configs", a::describeConfigs);
        a.step("alter configs", a::alterConfigs);
        a.step("list offsets", a::listOffsets);
        a.step("delete topics by id", a::deleteById);
        a.step("delete topics by name", a::deleteByName);
        a.admin.close();
    }

    private TopicDescription describe(String topic) throws Exception {
        return get(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
    }

    private void create() throws Exception {
        NewTopic topic = new NewTopic("ja", 3, (short) 1).configs(Map.of("retention.ms", "1234567"));
        var result = admin.createTopics(List.of(topic, new NewTopic("jb", Map.of(0, List.of(1)))));
        get(result.all());
        firstId = get(result.topicId("ja"));
        that(!firstId.equals(Uuid.ZERO_UUID), "an id");
        same(3, get(result.numPartitions("ja")));
        same(1, get(result.replicationFactor("ja")));
        same("1234567", get(result.config("ja")).get("retention.ms").value());
        same(1, get(result.numPartitions("jb")));
    }

    private String refused(NewTopic topic) throws Exception {
        return refusal(admin.createTopics(List.of(topic)).all());
    }

    private void createRefused() throws Exception {
        same("TopicExistsException", refused(new NewTopic("ja", 1, (short) 1)));
        same("InvalidPartitionsException", refused(new NewTopic("jx", 0, (short) 1)));
        same("InvalidReplicationFactorException", refused(new NewTopic("jx", 1, (short) 2)));
        same("InvalidTopicException", refused(new NewTopic("j x", 1, (short) 1)));
        same("InvalidReplicaAssignmentException", refused(new NewTopic("jx", Map.of(0, List.of(7)))));
        same("InvalidReplicaAssignmentException", refused(new NewTopic("jx", Map.of(1, List.of(1)))));
        same("InvalidReplicaAssignmentException", refused(new NewTopic("jx", Map.of(0, List.of(1, 1)))));
        same("InvalidConfigurationException",
                refused(new NewTopic("jx", 1, (short) 1).configs(Map.of("no.such", "1"))));
    }

    private void validateOnly() throws Exception {
        get(admin.createTopics(List.of(new NewTopic("jv", 2, (short) 1)),
                new CreateTopicsOptions().validateOnly(true)).all());
        same(UNKNOWN, refusal(admin.describeTopics(List.of("jv")).allTopicNames()));
    }

    private void describeTopics() throws Exception {
        TopicDescription d = describe("ja");
        same(firstId, d.topicId());
        same(3, d.partitions().size());
        d.partitions().forEach(p -> {
            same(1, p.leader().id());
            same(1, p.replicas().size());
            same(1, p.isr().size());
        });
        same(UNKNOWN, refusal(admin.describeTopics(List.of("none")).allTopicNames()));
    }

    private void describeById() throws Exception {
        var ids = TopicCollection.ofTopicIds(List.of(firstId));
        same("ja", get(admin.describeTopics(ids).allTopicIds()).get(firstId).name());
        ids = TopicCollection.ofTopicIds(List.of(Uuid.randomUuid()));
        same("UnknownTopicIdException", refusal(admin.describeTopics(ids).allTopicIds()));
    }

    private void describeCluster() throws Exception {
        var cluster = admin.describeCluster();
        same(1, get(cluster.nodes()).size());
        var node = get(cluster.nodes()).iterator().next();
        same(bootstrap, node.host() + ":" + node.port());
        same(1, get(cluster.controller()).id());
        same(22, get(cluster.clusterId()).length());
    }

    private Config configs(ConfigResource.Type type, String name) throws Exception {
        var key = new ConfigResource(type, name);
        return get(admin.describeConfigs(Set.of(key)).all()).get(key);
    }

    private void describeConfigs() throws Exception {
        Config topic = configs(ConfigResource.Type.TOPIC, "ja");
        same("1234567", topic.get("retention.ms").value());
        same(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, topic.get("retention.ms").source());
        same(true, topic.get("segment.bytes").isDefault());
        Config broker = configs(ConfigResource.Type.BROKER, "1");
        that(broker.entries().size() > 100, "broker configs");
        var none = new ConfigResource(ConfigResource.Type.TOPIC, "none");
        same(UNKNOWN, refusal(admin.describeConfigs(Set.of(none)).all()));
    }

    private void alterConfigs() throws Exception {
        var key = new ConfigResource(ConfigResource.Type.TOPIC, "ja");
        get(admin.incrementalAlterConfigs(Map.of(key, List.of(
                new AlterConfigOp(new ConfigEntry("segment.bytes", "2000000"), AlterConfigOp.OpType.SET),
                new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE),
                new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"),
                        AlterConfigOp.OpType.APPEND)))).all());
        long deadline = System.nanoTime() + LIMIT_S * 1000000000L;
        Config now = configs(ConfigResource.Type.TOPIC, "ja");
        while (!now.get("segment.bytes").value().equals("2000000")) { // Kafka's broker may be late
            that(System.nanoTime() < deadline, "altered");
            now = configs(ConfigResource.Type.TOPIC, "ja");
        }
        same("604800000", now.get("retention.ms").value());
        same("delete,compact", now.get("cleanup.policy").value());
        same("InvalidConfigurationException", refusal(admin.incrementalAlterConfigs(Map.of(key, List.of(
                new AlterConfigOp(new ConfigEntry("segment.bytes", "many"), AlterConfigOp.OpType.SET)))).all()));
    }

    private long offset(OffsetSpec spec) throws Exception {
        var partition = new TopicPartition("jb", 0);
        return get(admin.listOffsets(Map.of(partition, spec)).partitionResult(partition)).offset();
    }

    private void listOffsets() throws Exception {
        long at = System.currentTimeMillis() - 100000;
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            for (int i = 0; i < 10; i++)
                producer.send(new ProducerRecord<>("jb", 0, at + 1000 * i, null, new byte[10])).get();
        }
        Map<OffsetSpec, Long> wanted = new HashMap<>();
        wanted.put(OffsetSpec.earliest(), 0L);
        wanted.put(OffsetSpec.latest(), 10L);
        wanted.put(OffsetSpec.maxTimestamp(), 9L);
        wanted.put(OffsetSpec.earliestLocal(), 0L);
        wanted.put(OffsetSpec.latestTiered(), -1L);
        wanted.put(OffsetSpec.forTimestamp(at + 3500), 4L);
        wanted.put(OffsetSpec.forTimestamp(at + 99000), -1L);
        for (var entry : wanted.entrySet())
            same(entry.getValue(), offset(entry.getKey()));
    }

    private void deleteById() throws Exception {
        get(admin.deleteTopics(TopicCollection.ofTopicIds(List.of(firstId))).all());
        same("UnknownTopicIdException",
                refusal(admin.deleteTopics(TopicCollection.ofTopicIds(List.of(firstId))).all()));
        var again = admin.createTopics(List.of(new NewTopic("ja", 1, (short) 1)));
        that(!get(again.topicId("ja")).equals(firstId), "a new id");
    }

    private void deleteByName() throws Exception {
        get(admin.deleteTopics(List.of("ja", "jb")).all());
        same(UNKNOWN, refusal(admin.deleteTopics(List.of("ja")).all()));
    }
}
