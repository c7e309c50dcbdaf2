// SPDX-License-Identifier: Apache-2.0

import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/** An idempotent producer and a consumer that live through restarts of the broker. */
final class Restarts extends Scenario {
    private static final int PER_ROUND = 5000;

    private Restarts(String bootstrap) {
        super(bootstrap);
    }

    public static void main(String[] args) {
        Restarts r = new Restarts(args[0]);
        int rounds = Integer.parseInt(args[1]);
        r.step("each record once, in order", () -> r.run(rounds));
    }

    private void run(int rounds) throws Exception {
        final int count = rounds * PER_ROUND;
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread reading = new Thread(() -> readAll(count, failure));
        AtomicInteger acked = new AtomicInteger();
        Semaphore open = new Semaphore(2000); // in flight, so that a kill finds some
        try (KafkaProducer<byte[], byte[]> producer = producer("delivery.timeout.ms", 110000,
                "reconnect.backoff.ms", 10, "reconnect.backoff.max.ms", 50, "retry.backoff.ms", 10)) {
            producer.send(new ProducerRecord<>("restarts", 0, null, number(0))).get();
            reading.start();
            for (int i = 1; i < count; i++) {
                open.acquire();
                producer.send(new ProducerRecord<>("restarts", 0, null, number(i)), (meta, error) -> {
                    open.release();
                    acked.incrementAndGet();
                    if (error != null)
                        failure.compareAndSet(null, error);
                });
                if (i % PER_ROUND == PER_ROUND / 2)
                    ask("restart");
            }
        }
        same(count - 1, acked.get());
        reading.join(LIMIT_S * 1000L);
        that(!reading.isAlive(), "the consumer hangs");
        if (failure.get() != null)
            throw new AssertionError(failure.get());
    }

    private static byte[] number(int i) {
        return ByteBuffer.allocate(100).putInt(i).array();
    }

    private void readAll(int count, AtomicReference<Throwable> failure) {
        try (KafkaConsumer<byte[], byte[]> consumer =
                consumer("reconnect.backoff.ms", 10, "reconnect.backoff.max.ms", 50)) {
            consumer.assign(partitions("restarts", 1));
            consumer.seekToBeginning(partitions("restarts", 1));
            List<ConsumerRecord<byte[], byte[]>> records = read(consumer, count);
            for (int i = 0; i < count; i++)
                same(i, ByteBuffer.wrap(records.get(i).value()).getInt());
            same(count, records.size());
        } catch (Throwable t) {
            failure.compareAndSet(null, t);
        }
    }
}
