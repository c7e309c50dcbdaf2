// SPDX-License-Identifier: Apache-2.0

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;

/** Producers and consumers of kafka-clients. */
final class Records extends Scenario {
    private static final long START = System.currentTimeMillis() - 100000;
    private static final int MANY_PARTITIONS = 3;
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");

    private Records(String bootstrap) {
        super(bootstrap);
    }

    public static void main(String[] args) {
        Records r = new Records(args[0]);
        r.step("create", r::create);
        for (String codec : CODECS)
            r.step("round trip " + codec, () -> r.roundTrip(codec));
        r.step("100000 records in order", r::many);
        r.step("large records", r::largeRecords);
        r.step("sessions over many partitions", r::sessions);
        r.step("offsets", r::offsets);
        r.step("long poll", r::longPoll);
        r.step("out of range", r::outOfRange);
    }

    private void create() throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        for (String codec : CODECS)
            topics.add(new NewTopic("r-" + codec, 1, (short) 1));
        topics.add(new NewTopic("r-many", MANY_PARTITIONS, (short) 1));
        topics.add(new NewTopic("r-wide", 100, (short) 1));
        topics.add(new NewTopic("r-large", 1, (short) 1).configs(Map.of("max.message.bytes", "20000000")));
        topics.add(new NewTopic("r-time", 1, (short) 1));
        try (AdminClient admin = AdminClient.create(config())) {
            get(admin.createTopics(topics).all());
        }
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            for (NewTopic topic : topics) // Kafka's broker may know them later than its controller
                while (consumer.partitionsFor(topic.name(), Duration.ofSeconds(LIMIT_S)).isEmpty())
                    Thread.onSpinWait();
        }
    }

    private static ProducerRecord<byte[], byte[]> make(String topic, int i) {
        byte[] key = i % 3 == 0 ? null : ("k" + i).getBytes(StandardCharsets.UTF_8);
        byte[] value = i % 7 == 0 ? null : new byte[i % 500];
        if (value != null)
            new Random(i).nextBytes(value);
        var record = new ProducerRecord<>(topic, 0, START + i, key, value);
        for (int h = 0; h < i % 3; h++)
            record.headers().add("h" + h, h == 1 ? null : new byte[] {(byte) i});
        return record;
    }

    private void roundTrip(String codec) throws Exception {
        final int count = 5000;
        String topic = "r-" + codec;
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<byte[], byte[]> producer = producer("compression.type", codec)) {
            for (int i = 0; i < count; i++)
                sent.add(producer.send(make(topic, i)));
        }
        for (int i = 0; i < count; i++)
            same((long) i, sent.get(i).get().offset());
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            consumer.assign(partitions(topic, 1));
            consumer.seekToBeginning(partitions(topic, 1));
            int i = 0;
            for (ConsumerRecord<byte[], byte[]> got : read(consumer, count)) {
                var wanted = make(topic, i);
                same((long) i++, got.offset());
                same(wanted.timestamp(), got.timestamp());
                that(Arrays.equals(wanted.key(), got.key()), "key " + i);
                that(Arrays.equals(wanted.value(), got.value()), "value " + i);
                same(wanted.headers(), got.headers());
            }
        }
    }

    /** Small ones; each partition has every third number. */
    private void many() throws Exception {
        final int count = 100000;
        try (KafkaProducer<byte[], byte[]> producer = producer("linger.ms", 5, "compression.type", "lz4")) {
            for (int i = 0; i < count; i++)
                producer.send(new ProducerRecord<>("r-many", i % MANY_PARTITIONS, null,
                        ByteBuffer.allocate(4).putInt(i).array()));
        }
        int[] next = new int[MANY_PARTITIONS];
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            consumer.assign(partitions("r-many", MANY_PARTITIONS));
            consumer.seekToBeginning(partitions("r-many", MANY_PARTITIONS));
            for (ConsumerRecord<byte[], byte[]> got : read(consumer, count)) {
                same((long) next[got.partition()], got.offset());
                same(MANY_PARTITIONS * next[got.partition()]++ + got.partition(), ByteBuffer.wrap(got.value()).getInt());
            }
        }
        same(count, next[0] + next[1] + next[2]);
    }

    private void largeRecords() throws Exception {
        byte[] value = new byte[10000000];
        new Random(1).nextBytes(value);
        try (KafkaProducer<byte[], byte[]> producer =
                producer("max.request.size", 30000000, "buffer.memory", 90000000L)) {
            producer.send(new ProducerRecord<>("r-large", 0, null, value)).get();
            try {
                producer.send(new ProducerRecord<>("r-none", 0, null, value)).get();
                that(false, "10 MB were taken");
            } catch (ExecutionException e) {
                that(e.getCause() instanceof RecordTooLargeException, "" + e.getCause());
            }
            same(1L, producer.send(new ProducerRecord<>("r-large", 0, null, new byte[1000000])).get().offset());
        }
        try (KafkaConsumer<byte[], byte[]> consumer = consumer("fetch.max.bytes", 1000)) {
            consumer.assign(partitions("r-large", 1));
            consumer.seekToBeginning(partitions("r-large", 1));
            var records = read(consumer, 2);
            that(Arrays.equals(value, records.get(0).value()), "10 MB");
            same(1000000, records.get(1).value().length);
        }
    }

    /** One fetch session with 100 partitions, of which a few change at a time. */
    private void sessions() throws Exception {
        Map<TopicPartition, Long> next = new HashMap<>();
        try (KafkaProducer<byte[], byte[]> producer = producer();
                KafkaConsumer<byte[], byte[]> consumer = consumer("fetch.max.wait.ms", 100)) {
            List<TopicPartition> all = partitions("r-wide", 100);
            consumer.assign(all);
            consumer.seekToBeginning(all);
            Random random = new Random(7);
            for (int round = 0; round < 60; round++) {
                int count = round % 20 == 0 ? 300 : 1 + random.nextInt(5);
                for (int i = 0; i < count; i++)
                    producer.send(new ProducerRecord<>("r-wide", random.nextInt(100), null, new byte[50]));
                producer.flush();
                for (ConsumerRecord<byte[], byte[]> got : read(consumer, count)) {
                    var partition = new TopicPartition("r-wide", got.partition());
                    same(next.getOrDefault(partition, 0L), got.offset());
                    next.put(partition, got.offset() + 1);
                }
                if (round % 10 == 9) { // partitions leave the session and come back
                    consumer.pause(all.subList(0, 50));
                    consumer.poll(Duration.ZERO);
                    consumer.resume(all.subList(0, 50));
                }
            }
            for (var entry : next.entrySet())
                same(entry.getValue(), consumer.position(entry.getKey()));
        }
    }

    private void offsets() throws Exception {
        long at = System.currentTimeMillis() - 1000000;
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            for (int i = 0; i < 50; i++) {
                Future<?> sent = producer.send(new ProducerRecord<>("r-time", 0, at + i * 1000, null, new byte[5]));
                if (i % 10 == 0)
                    sent.get();
            }
        }
        var partition = new TopicPartition("r-time", 0);
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            same(20L, consumer.offsetsForTimes(Map.of(partition, at + 20000)).get(partition).offset());
            same(21L, consumer.offsetsForTimes(Map.of(partition, at + 20001)).get(partition).offset());
            same(null, consumer.offsetsForTimes(Map.of(partition, at + 90000)).get(partition));
            same(0L, consumer.beginningOffsets(List.of(partition)).get(partition));
            same(50L, consumer.endOffsets(List.of(partition)).get(partition));
            consumer.assign(List.of(partition));
            consumer.seek(partition, consumer.offsetsForTimes(Map.of(partition, at + 32500)).get(partition).offset());
            same(33L, read(consumer, 1).get(0).offset());
            consumer.seekToEnd(List.of(partition));
            same(50L, consumer.position(partition));
            same(true, consumer.partitionsFor("r-time").get(0).leader().id() == 1);
        }
    }

    /** Twenty waits of up to 30 s each, all over in less than one of them. */
    private void longPoll() throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = producer();
                KafkaConsumer<byte[], byte[]> consumer = consumer("fetch.max.wait.ms", 30000)) {
            consumer.assign(partitions("r-time", 1));
            consumer.seekToEnd(partitions("r-time", 1));
            consumer.position(partitions("r-time", 1).get(0));
            long start = System.nanoTime();
            for (int i = 0; i < 20; i++) {
                producer.send(new ProducerRecord<>("r-time", 0, null, new byte[] {(byte) i}));
                same((byte) i, read(consumer, 1).get(0).value()[0]);
            }
            that(System.nanoTime() - start < TimeUnit.SECONDS.toNanos(30), "woken by the record");
            consumer.close(CloseOptions.timeout(Duration.ZERO)); // else behind its last fetch
        }
    }

    private void outOfRange() {
        var partition = new TopicPartition("r-time", 0);
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 1000000);
            try {
                read(consumer, 1);
                that(false, "records behind the end");
            } catch (OffsetOutOfRangeException e) {
                same(1000000L, e.offsetOutOfRangePartitions().get(partition));
            }
        }
        try (KafkaConsumer<byte[], byte[]> consumer = consumer("auto.offset.reset", "earliest")) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 1000000);
            same(0L, read(consumer, 1).get(0).offset());
        }
    }
}
