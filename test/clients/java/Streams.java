// SPDX-License-Identifier: Apache-2.0

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** Kafka Streams: the life of one application, from its first start to a run after its reset. */
final class Streams extends Scenario {
    private static final String[] WORDS = {
            "Wer", "jetzt", "kein", "Haus", "hat", "baut", "sich", "keines", "mehr"};
    private static final String REPARTITION = WordCount.NAME + "-by-word-repartition";
    private static final int OUT_PARTITIONS = 2;

    private final AdminClient admin;
    private final Path state;
    private final Instant today = Instant.now().truncatedTo(ChronoUnit.DAYS);
    private final Map<String, Long> sent = new HashMap<>();
    private int lines;
    private WordCount first;
    private WordCount second;

    private Streams(String bootstrap, Path state) {
        super(bootstrap);
        admin = AdminClient.create(config());
        this.state = state;
    }

    public static void main(String[] args) {
        Streams s = new Streams(args[0], Path.of(args[1]));
        s.step("prepare", s::prepare);
        s.step("each word is counted, exactly on a quiet run", s::quietRun);
        s.step("internal topics", s::internalTopics);
        s.step("the changelogs say what the stores say", s::changelogs);
        s.step("what was repartitioned is deleted", s::purge);
        s.step("counts live through a kill of the broker", s::kill);
        s.step("a second instance takes half of the tasks", s::join);
        s.step("the first leaves, the second restores its state", s::leave);
        s.step("the application is reset", s::reset);
        s.step("a fresh run counts everything again", s::freshRun);
        s.step("close", s::close);
        System.exit(0); // also when a step failed with an instance running
    }

    private interface Claim {
        boolean holds() throws Exception;
    }

    private static void until(String what, Claim claim) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_S);
        while (!claim.holds()) {
            that(System.nanoTime() < deadline, "not within " + LIMIT_S + " s: " + what);
            Thread.sleep(20);
        }
    }

    private void prepare() throws Exception {
        get(admin.createTopics(List.of(
                new NewTopic(WordCount.IN, WordCount.PARTITIONS, (short) 1),
                new NewTopic(WordCount.OUT, OUT_PARTITIONS, (short) 1))).all());
    }

    /** Three words a line; some words are more frequent than others. */
    private void send(int count, int askAt) throws Exception {
        AtomicReference<Exception> failure = new AtomicReference<>();
        try (KafkaProducer<byte[], byte[]> producer = producer(
                     "reconnect.backoff.ms", 10, "reconnect.backoff.max.ms", 50, "linger.ms", 1)) {
            for (int i = 0; i < count; i++, lines++) {
                StringBuilder line = new StringBuilder(Integer.toString(lines));
                for (int factor : new int[] {1, 2, 6}) {
                    String word = WORDS[lines * factor % WORDS.length];
                    sent.merge(word, 1L, Long::sum);
                    line.append(' ').append(word);
                }
                producer.send(new ProducerRecord<>(WordCount.IN, lines % WordCount.PARTITIONS,
                                today.toEpochMilli() + lines,
                                ByteBuffer.allocate(Integer.BYTES).putInt(lines).array(),
                                line.toString().getBytes()),
                        (meta, error) -> {
                            if (error != null)
                                failure.set(error);
                        });
                if (i == askAt)
                    ask("restart");
            }
        }
        if (failure.get() != null)
            throw failure.get();
    }

    private Map<TopicPartition, Long> offsets(String topic, OffsetSpec spec) throws Exception {
        Map<TopicPartition, OffsetSpec> wanted = new HashMap<>();
        partitions(topic, WordCount.PARTITIONS).forEach(partition -> wanted.put(partition, spec));
        Map<TopicPartition, Long> offsets = new HashMap<>();
        get(admin.listOffsets(wanted).all())
                .forEach((partition, info) -> offsets.put(partition, info.offset()));
        return offsets;
    }

    private Map<TopicPartition, Long> committed() throws Exception {
        Map<TopicPartition, Long> offsets = new HashMap<>();
        get(admin.listConsumerGroupOffsets(WordCount.NAME).partitionsToOffsetAndMetadata())
                .forEach((partition, o) -> offsets.put(partition, o == null ? 0 : o.offset()));
        return offsets;
    }

    private boolean hasNoLag(String topic) throws Exception {
        Map<TopicPartition, Long> ends = offsets(topic, OffsetSpec.latest());
        Map<TopicPartition, Long> done = committed();
        return ends.entrySet().stream().allMatch(
                e -> e.getValue().equals(done.getOrDefault(e.getKey(), 0L)));
    }

    /** All is counted: what comes of an input is written before the input's offset is committed. */
    private void consumed() throws Exception {
        until("no lag in the input", () -> hasNoLag(WordCount.IN));
        until("no lag behind the repartition", () -> hasNoLag(REPARTITION));
    }

    private Map<String, Long> lastOfOutput() {
        Map<String, Long> last = new HashMap<>();
        for (var record : readAll(WordCount.OUT, OUT_PARTITIONS))
            last.put(new String(record.key()), number(record.value()));
        return last;
    }

    private static long number(byte[] value) {
        return ByteBuffer.wrap(value).getLong();
    }

    private List<ConsumerRecord<byte[], byte[]>> readAll(String topic, int count) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        List<TopicPartition> partitions = partitions(topic, count);
        try (KafkaConsumer<byte[], byte[]> consumer = consumer("auto.offset.reset", "earliest")) {
            consumer.assign(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_S);
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                that(System.nanoTime() < deadline, "all of " + topic);
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            }
        }
        return records;
    }

    /** What was sent is counted, all three stores and what was written say the same. */
    private void countsAreRight(
            Map<String, Long> counts, Map<String, Long> places, Map<String, Long> days) {
        same(sent, places);
        same(sent.keySet(), counts.keySet());
        sent.forEach((word, times) -> that(counts.get(word) >= times,
                word + ": sent " + times + " times, counted " + counts.get(word) + " times"));
        same(counts, days);
        same(counts, lastOfOutput());
    }

    /** Of an instance that has all tasks. */
    private void countsAreRight(WordCount instance) {
        countsAreRight(instance.counts(), instance.places(), instance.countsOf(today));
    }

    private void quietRun() throws Exception {
        first = new WordCount(bootstrap, state.resolve("first")).start();
        until("all tasks run", () -> first.runs(WordCount.TASKS));
        same("4.4.0", first.version());
        send(200, -1);
        consumed();
        same(sent, first.counts());
        countsAreRight(first);
        Map<String, Long> counted = new HashMap<>(); // each count was told, in order
        for (var record : readAll(WordCount.OUT, OUT_PARTITIONS)) {
            long next = counted.merge(new String(record.key()), 1L, Long::sum);
            same(next, number(record.value()));
        }
        same(sent, counted);
        var group = get(admin.describeConsumerGroups(List.of(WordCount.NAME)).all())
                .get(WordCount.NAME);
        same(GroupState.STABLE, group.groupState());
        same("stream", group.partitionAssignor());
        same(2, group.members().size()); // one a thread
    }

    private Config topicConfig(String topic) throws Exception {
        ConfigResource key = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return get(admin.describeConfigs(List.of(key)).all()).get(key);
    }

    private Set<String> topicsOfApplication() throws Exception {
        return get(admin.listTopics().names()).stream()
                .filter(name -> name.startsWith(WordCount.NAME))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private void internalTopics() throws Exception {
        same(new TreeSet<>(WordCount.internalTopics()), topicsOfApplication());
        get(admin.describeTopics(WordCount.internalTopics()).allTopicNames())
                .forEach((name, topic) -> same(WordCount.PARTITIONS, topic.partitions().size()));
        same("compact",
                topicConfig(WordCount.NAME + "-counts-changelog").get("cleanup.policy").value());
        same("compact",
                topicConfig(WordCount.NAME + "-places-changelog").get("cleanup.policy").value());
        Config days = topicConfig(WordCount.NAME + "-days-changelog");
        same(Set.of("compact", "delete"), Set.of(days.get("cleanup.policy").value().split(",")));
        same(WordCount.RETENTION.plusDays(1).toMillis(),
                Long.parseLong(days.get("retention.ms").value()));
        Config repartition = topicConfig(REPARTITION);
        same("delete", repartition.get("cleanup.policy").value());
        same("-1", repartition.get("retention.ms").value());
        same("CreateTime", repartition.get("message.timestamp.type").value());
    }

    private void changelogs() throws Exception {
        Map<String, Long> counts = new HashMap<>();
        for (var record : readAll(WordCount.NAME + "-counts-changelog", WordCount.PARTITIONS)) {
            byte[] value = record.value(); // the count stands last, behind what the store adds
            counts.put(new String(record.key()),
                    number(Arrays.copyOfRange(value, value.length - Long.BYTES, value.length)));
        }
        same(sent, counts);
    }

    /** By DeleteRecords, up to what was committed. */
    private void purge() throws Exception {
        until("the repartition topic begins later", () -> {
            send(1, -1);
            consumed();
            return offsets(REPARTITION, OffsetSpec.earliest()).values().stream()
                    .anyMatch(offset -> offset > 0);
        });
        countsAreRight(first);
    }

    private void kill() throws Exception {
        send(2000, 1000);
        consumed();
        countsAreRight(first);
        that(first.runs(WordCount.TASKS), "it runs");
    }

    private int members() throws Exception {
        return get(admin.describeConsumerGroups(List.of(WordCount.NAME)).all())
                .get(WordCount.NAME)
                .members()
                .size();
    }

    private void join() throws Exception {
        second = new WordCount(bootstrap, state.resolve("second")).start();
        int half = WordCount.TASKS / 2;
        until("both have tasks", () -> {
            send(1, -1); // while the tasks move
            return first.runs(half) && second.runs(half);
        });
        Set<String> tasks = new HashSet<>(first.tasks());
        tasks.addAll(second.tasks());
        same(WordCount.TASKS, tasks.size());
        same(4, members());
        send(200, -1);
        consumed();
        countsAreRight(sum(first.counts(), second.counts()), sum(first.places(), second.places()),
                sum(first.countsOf(today), second.countsOf(today)));
    }

    /** Each word is in one partition, which one instance has. */
    private static Map<String, Long> sum(Map<String, Long> one, Map<String, Long> other) {
        Map<String, Long> all = new HashMap<>(one);
        other.forEach((word, count) -> same(null, all.put(word, count)));
        return all;
    }

    private void leave() throws Exception {
        first.close();
        send(200, -1);
        until("the second has all tasks", () -> second.runs(WordCount.TASKS));
        consumed();
        countsAreRight(second);
        same(2, members());
    }

    private void reset() throws Exception {
        ask("reset refused");
        second.stop();
        same(2, members());
        ask("reset");
        same(0, members());
        same(Set.of(), topicsOfApplication());
        Map<TopicPartition, Long> offsets = committed();
        partitions(WordCount.IN, WordCount.PARTITIONS)
                .forEach(p -> same(0L, offsets.getOrDefault(p, 0L)));
    }

    private void freshRun() throws Exception {
        first = new WordCount(bootstrap, state.resolve("third")).start();
        until("all tasks run", () -> first.runs(WordCount.TASKS));
        consumed();
        same(sent, first.counts());
        countsAreRight(first);
        same(new TreeSet<>(WordCount.internalTopics()), topicsOfApplication());
    }

    private void close() throws Exception {
        first.close();
        same(0, members());
        admin.close();
    }
}
