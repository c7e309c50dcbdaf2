// SPDX-License-Identifier: Apache-2.0
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What tests with a broker of their own look like. */
@ExtendWith(Broker.Extension.class)
class OrdersTest {
    private static void send(Broker broker, String topic, String... values) {
        Map<String, Object> config = Map.of("bootstrap.servers", broker.bootstrapServers);
        try (var producer = new KafkaProducer<>(config, new StringSerializer(),
                new StringSerializer())) {
            for (String value : values)
                producer.send(new ProducerRecord<>(topic, value));
        }
    }

    private static KafkaConsumer<String, String> consumer(Broker broker, String group) {
        return new KafkaConsumer<>(Map.of("bootstrap.servers", broker.bootstrapServers,
                "group.id", group, "auto.offset.reset", "earliest"),
                new StringDeserializer(), new StringDeserializer());
    }

    @Test
    void whatIsSentIsRead(Broker broker) {
        send(broker, "orders", "a", "b", "c");
        List<String> values = new ArrayList<>();
        try (var consumer = consumer(broker, "billing")) {
            consumer.subscribe(List.of("orders"));
            long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
            while (values.size() < 3 && System.nanoTime() < deadline) {
                for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(500)))
                    values.add(r.value());
            }
        }
        assertEquals(List.of("a", "b", "c"), values);
    }

    @Test
    void oldRecordsGo() throws Exception {
        TopicPartition partition = new TopicPartition("clicks", 0);
        long start = 0;
        try (var own = new Broker(); var consumer = consumer(own, "none")) {
            send(own, "clicks", "x");
            own.advance(Duration.ofDays(2)); // more than log.retention.hours
            long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
            while (start == 0 && System.nanoTime() < deadline) // retention runs beside us
                start = consumer.beginningOffsets(List.of(partition)).get(partition);
        }
        assertEquals(1, start);
    }
}
