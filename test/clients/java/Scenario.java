// SPDX-License-Identifier: Apache-2.0

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What the programs of this folder share: named steps, one line each, and short ways to the clients. */
class Scenario {
    static final int LIMIT_S = 60;

    interface Step {
        void run() throws Exception;
    }

    final String bootstrap;
    private final BufferedReader input = new BufferedReader(new InputStreamReader(System.in));

    Scenario(String bootstrap) {
        this.bootstrap = bootstrap;
    }

    void step(String name, Step body) {
        try {
            body.run();
            System.out.println("ok " + name);
        } catch (Throwable t) {
            System.out.println("failed " + name + ": " + t);
            t.printStackTrace(System.out);
        }
    }

    /** Has the test do something to the broker, and waits until it is done. */
    void ask(String word) throws IOException {
        System.out.println("do " + word);
        input.readLine();
    }

    static void same(Object wanted, Object got) {
        if (!Objects.deepEquals(wanted, got))
            throw new AssertionError("wanted " + wanted + ", got " + got);
    }

    static void that(boolean claim, String what) {
        if (!claim)
            throw new AssertionError(what);
    }

    static <T> T get(KafkaFuture<T> future) throws Exception {
        return future.get(LIMIT_S, TimeUnit.SECONDS);
    }

    /** The class of what a call was refused with. */
    static String refusal(KafkaFuture<?> future) throws Exception {
        try {
            get(future);
            return "nothing";
        } catch (ExecutionException e) {
            return e.getCause().getClass().getSimpleName();
        }
    }

    Map<String, Object> config(Object... pairs) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < pairs.length; i += 2)
            config.put((String) pairs[i], pairs[i + 1]);
        return config;
    }

    KafkaProducer<byte[], byte[]> producer(Object... pairs) {
        return new KafkaProducer<>(config(pairs), new ByteArraySerializer(), new ByteArraySerializer());
    }

    KafkaConsumer<byte[], byte[]> consumer(Object... pairs) {
        Map<String, Object> config = config(pairs);
        config.putIfAbsent("auto.offset.reset", "none");
        config.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static List<TopicPartition> partitions(String topic, int count) {
        List<TopicPartition> list = new ArrayList<>();
        for (int i = 0; i < count; i++)
            list.add(new TopicPartition(topic, i));
        return list;
    }

    /** Polls until so many records have come. */
    static List<ConsumerRecord<byte[], byte[]>> read(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_S);
        while (records.size() < count) {
            that(System.nanoTime() < deadline, records.size() + " of " + count + " records");
            consumer.poll(Duration.ofSeconds(1)).forEach(records::add);
        }
        return records;
    }
}
