// SPDX-License-Identifier: Apache-2.0

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/** One member of a consumer group: says on standard output what group_worker.py does. */
final class Member extends Scenario implements ConsumerRebalanceListener {
    private final AtomicBoolean over = new AtomicBoolean();

    private Member(String bootstrap) {
        super(bootstrap);
    }

    public static void main(String[] args) {
        new Member(args[0]).run(args[1], args[2], Integer.parseInt(args[3]));
    }

    private static void say(String key, String value) {
        System.out.println("{\"" + key + "\": " + value + "}");
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        say("assigned", partitions.stream().map(p -> "" + p.partition()).collect(Collectors.joining(",", "[", "]")));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
    }

    private void listen() {
        try {
            System.in.read();
        } catch (IOException e) {
            // its end is the same
        }
        over.set(true);
    }

    private void run(String topic, String group, int sessionMs) {
        Thread listening = new Thread(this::listen);
        listening.setDaemon(true);
        listening.start();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer("group.id", group, "auto.offset.reset", "earliest",
                "session.timeout.ms", sessionMs, "heartbeat.interval.ms", sessionMs / 10, "fetch.max.wait.ms", 50)) {
            consumer.subscribe(List.of(topic), this);
            while (!over.get()) {
                List<String> rows = new ArrayList<>();
                for (var record : consumer.poll(Duration.ofMillis(100)))
                    rows.add("[" + record.partition() + ", " + record.offset() + ", \""
                            + new String(record.value(), StandardCharsets.UTF_8) + "\"]");
                if (rows.isEmpty())
                    continue;
                try {
                    consumer.commitSync();
                } catch (KafkaException e) {
                    say("refused", "\"" + e.getClass().getSimpleName() + "\"");
                }
                say("records", rows.toString());
            }
        }
    }
}
