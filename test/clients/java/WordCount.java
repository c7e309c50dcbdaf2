// SPDX-License-Identifier: Apache-2.0

import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.QueryableStoreType;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/**
 * One instance of a Kafka Streams application that counts words, at least once, in three stores:
 * how often each was seen (RocksDB); where, which is the same however often a line comes (in
 * memory); how often on each day, in windows, whose changelog is compacted and deleted. A line is
 * its number and words; all goes through one repartition topic.
 */
final class WordCount implements AutoCloseable {
    static final String NAME = "word-count"; // of the application, the group, internal topics
    static final String IN = "lines";
    static final String OUT = "counts";
    static final int PARTITIONS = 4;
    static final int TASKS = 2 * PARTITIONS; // before and after the repartition topic
    static final Duration WINDOW = Duration.ofDays(1);
    static final Duration RETENTION = Duration.ofDays(3);
    private static final int WORDS_PER_LINE_MAX = 8;

    private final KafkaStreams streams;
    private volatile Throwable failure;

    WordCount(String bootstrap, Path state) {
        Properties config = new Properties();
        config.putAll(Map.of("bootstrap.servers", bootstrap, "application.id", NAME,
                "client.id", state.getFileName().toString(), "state.dir", state.toString(),
                "processing.guarantee", "at_least_once", "auto.offset.reset", "earliest",
                "num.stream.threads", 2, "statestore.cache.max.bytes", 0));
        config.putAll(Map.of("commit.interval.ms", 100, "repartition.purge.interval.ms", 200,
                "heartbeat.interval.ms", 100, "session.timeout.ms", 10000, "metadata.max.age.ms",
                1000, "reconnect.backoff.ms", 10, "reconnect.backoff.max.ms", 50));
        streams = new KafkaStreams(topology(), config);
        streams.setUncaughtExceptionHandler(e -> {
            failure = e;
            return StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse
                    .SHUTDOWN_CLIENT;
        });
    }

    private static Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        var words = builder.stream(IN, Consumed.with(Serdes.Integer(), Serdes.String()))
                .flatMapValues(WordCount::words)
                .groupBy((line, word) -> word.substring(0, word.indexOf('/')),
                        Grouped.with("by-word", Serdes.String(), Serdes.String()));
        words.count(Materialized.<String, Long>as(Stores.persistentKeyValueStore("counts"))
                        .withKeySerde(Serdes.String())
                        .withValueSerde(Serdes.Long()))
                .toStream()
                .to(OUT, Produced.with(Serdes.String(), Serdes.Long()));
        words.aggregate(() -> new byte[0], (word, value, seen) -> with(seen, value),
                Materialized.<String, byte[]>as(Stores.inMemoryKeyValueStore("places"))
                        .withKeySerde(Serdes.String())
                        .withValueSerde(Serdes.ByteArray()));
        words.windowedBy(TimeWindows.ofSizeWithNoGrace(WINDOW))
                .count(Materialized.<String, Long, WindowStore<Bytes, byte[]>>as("days")
                        .withRetention(RETENTION)
                        .withKeySerde(Serdes.String())
                        .withValueSerde(Serdes.Long()));
        return builder.build();
    }

    /** Each word of a line with its place: word/NUMBER. */
    private static List<String> words(String line) {
        String[] parts = line.split(" ");
        List<String> words = new ArrayList<>();
        for (int i = 1; i < parts.length; i++)
            words.add(parts[i] + "/" + (Integer.parseInt(parts[0]) * WORDS_PER_LINE_MAX + i));
        return words;
    }

    private static byte[] with(byte[] seen, String value) {
        BitSet places = BitSet.valueOf(seen);
        places.set(Integer.parseInt(value.substring(value.indexOf('/') + 1)));
        return places.toByteArray();
    }

    WordCount start() {
        streams.start();
        return this;
    }

    /** Whether it runs, has so many tasks, and has brought their stores up to date. */
    boolean runs(int tasks) {
        if (failure != null)
            throw new AssertionError(failure);
        return streams.state() == KafkaStreams.State.RUNNING && tasks().size() == tasks;
    }

    String version() {
        return streams.metrics().values().stream()
                .filter(metric -> metric.metricName().group().equals("stream-metrics")
                        && metric.metricName().name().equals("version"))
                .map(metric -> metric.metricValue().toString())
                .findAny().orElse("none");
    }

    Set<String> tasks() {
        Set<String> tasks = new HashSet<>();
        streams.metadataForLocalThreads().forEach(thread
                -> thread.activeTasks().forEach(task -> tasks.add(task.taskId().toString())));
        return tasks;
    }

    private <T> T store(String name, QueryableStoreType<T> type) {
        return streams.store(StoreQueryParameters.fromNameAndType(name, type));
    }

    Map<String, Long> counts() {
        Map<String, Long> counts = new HashMap<>();
        try (var all = store("counts", QueryableStoreTypes.<String, Long>keyValueStore()).all()) {
            all.forEachRemaining(entry -> counts.put(entry.key, entry.value));
        }
        return counts;
    }

    /** At how many places each word was seen. */
    Map<String, Long> places() {
        Map<String, Long> counts = new HashMap<>();
        try (var all = store("places", QueryableStoreTypes.<String, byte[]>keyValueStore()).all()) {
            all.forEachRemaining(entry
                    -> counts.put(entry.key, (long) BitSet.valueOf(entry.value).cardinality()));
        }
        return counts;
    }

    Map<String, Long> countsOf(Instant day) {
        Map<String, Long> counts = new HashMap<>();
        try (var all = store("days", QueryableStoreTypes.<String, Long>windowStore())
                               .fetchAll(day, day)) {
            all.forEachRemaining(entry -> counts.put(entry.key.key(), entry.value));
        }
        return counts;
    }

    private void close(CloseOptions.GroupMembershipOperation operation) {
        streams.close(CloseOptions.timeout(Duration.ofSeconds(Scenario.LIMIT_S))
                              .withGroupMembershipOperation(operation));
    }

    /** Its members leave the group, as those of an instance that goes for good. */
    @Override
    public void close() {
        close(CloseOptions.GroupMembershipOperation.LEAVE_GROUP);
    }

    /** Its members stay until their sessions end, as those of an instance that is restarted. */
    void stop() {
        close(CloseOptions.GroupMembershipOperation.REMAIN_IN_GROUP);
    }

    static List<String> internalTopics() {
        return Arrays.asList(NAME + "-by-word-repartition", NAME + "-counts-changelog",
                NAME + "-days-changelog", NAME + "-places-changelog");
    }
}
