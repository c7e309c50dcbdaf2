// SPDX-License-Identifier: Apache-2.0

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** One client of test_torture.py: what it does and says is told in torture_worker.py. */
final class Torture extends Scenario {
    private static final int IN_FLIGHT = 1000;
    private static final int BETWEEN = 200;

    private final String name;
    private final List<TopicPartition> all = new ArrayList<>();
    private final Map<TopicPartition, AtomicInteger> acked = new HashMap<>();
    private volatile boolean isOver;

    private Torture(String[] args) {
        super(args[0]);
        name = args[1];
        for (int i = 2; i < args.length; i++) {
            String[] words = args[i].split(":");
            all.addAll(partitions(words[0], Integer.parseInt(words[1])));
        }
        all.forEach(p -> acked.put(p, new AtomicInteger()));
    }

    public static void main(String[] args) throws Exception {
        Torture t = new Torture(args);
        Thread reading = new Thread(t::consume);
        reading.start();
        Thread listening = new Thread(t::listen);
        listening.setDaemon(true);
        listening.start();
        t.produce();
        reading.join();
    }

    private static void die(Throwable why) {
        System.out.println("failed " + why);
        Runtime.getRuntime().halt(1);
    }

    private void listen() {
        try {
            while (System.in.read() >= 0)
                continue;
        } catch (Exception e) {
            die(e);
        }
        isOver = true;
    }

    private void produce() throws Exception {
        Random random = new Random();
        Semaphore open = new Semaphore(IN_FLIGHT);
        int[] sent = new int[all.size()];
        try (KafkaProducer<byte[], byte[]> producer = producer("delivery.timeout.ms", 120000,
                "reconnect.backoff.ms", 5, "reconnect.backoff.max.ms", 50, "retry.backoff.ms", 5)) {
            for (int i = 0; !isOver; i++) {
                open.acquire();
                int to = i % all.size();
                String value = name + " " + sent[to]++ + " ".repeat(random.nextInt(300));
                producer.send(new ProducerRecord<>(all.get(to).topic(), all.get(to).partition(), null,
                        value.getBytes(StandardCharsets.US_ASCII)), (meta, error) -> {
                            if (error != null)
                                die(error);
                            acked.get(all.get(to)).incrementAndGet();
                            open.release();
                        });
                if (i % BETWEEN == 0)
                    acked.forEach((p, count) -> tell("acked", p, count.get()));
            }
        }
        for (int i = 0; i < sent.length; i++)
            tell("sent", all.get(i), sent[i]);
    }

    private static void tell(String word, TopicPartition p, int count) {
        System.out.println(word + " " + p.topic() + " " + p.partition() + " " + count);
    }

    private void consume() {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer("group.id", name, "auto.offset.reset",
                "earliest", "fetch.max.wait.ms", 20, "heartbeat.interval.ms", 200,
                "reconnect.backoff.ms", 5, "reconnect.backoff.max.ms", 50, "retry.backoff.ms", 5)) {
            consumer.subscribe(List.of(all.get(0).topic()));
            while (!isOver) {
                if (!consumer.poll(Duration.ofMillis(50)).isEmpty())
                    commit(consumer);
            }
        } catch (Throwable t) {
            die(t);
        }
    }

    private static void commit(KafkaConsumer<byte[], byte[]> consumer) {
        Map<TopicPartition, OffsetAndMetadata> at = new HashMap<>();
        for (TopicPartition p : consumer.assignment())
            at.put(p, new OffsetAndMetadata(consumer.position(p)));
        try {
            consumer.commitSync(at);
        } catch (org.apache.kafka.common.errors.RetriableException
                | org.apache.kafka.clients.consumer.CommitFailedException e) {
            return; // the broker was killed: nothing was promised
        }
        at.forEach((p, o) -> System.out.println("committed " + p.partition() + " " + o.offset()));
    }
}
