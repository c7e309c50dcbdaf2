// SPDX-License-Identifier: Apache-2.0

import java.time.Duration;
import java.util.List;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.TransactionalIdAuthorizationException;

/** What this broker does not serve: clients are told so, soon, and nothing breaks. */
final class Unserved extends Scenario {
    private Unserved(String bootstrap) {
        super(bootstrap);
    }

    public static void main(String[] args) {
        Unserved u = new Unserved(args[0]);
        u.step("transactions", u::transactions);
        u.step("the new groups", u::groups);
        u.step("admin", u::admin);
        u.step("goes on", u::goesOn);
    }

    /** Fatal for the producer: nothing else of it works from then on. */
    private void transactions() {
        try (KafkaProducer<byte[], byte[]> producer = producer("transactional.id", "t", "max.block.ms", 20000)) {
            long start = System.nanoTime();
            try {
                producer.initTransactions();
                that(false, "transactions began");
            } catch (TransactionalIdAuthorizationException e) {
                that(System.nanoTime() - start < 15000000000L, "only after its time-out: " + e);
            }
            try {
                producer.beginTransaction();
                that(false, "a transaction began");
            } catch (KafkaException e) {
                that(e.getCause() instanceof TransactionalIdAuthorizationException, "not fatal: " + e);
            }
        }
    }

    private void groups() {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer("group.id", "g", "group.protocol", "consumer",
                "default.api.timeout.ms", 3000)) {
            consumer.subscribe(List.of("none"));
            same(0, consumer.poll(Duration.ofSeconds(1)).count());
        } catch (KafkaException e) {
            System.out.println("groups: " + e);
        }
    }

    private void admin() throws Exception {
        try (AdminClient admin = AdminClient.create(config("default.api.timeout.ms", 10000, "request.timeout.ms", 5000))) {
            String unsupported = "UnsupportedVersionException";
            same(unsupported, refusal(admin.listPartitionReassignments().reassignments()));
            same(unsupported, refusal(admin.describeUserScramCredentials().all()));
            String listed = refusal(admin.listGroups(new ListGroupsOptions()).all());
            that(!listed.equals("TimeoutException"), "listGroups: " + listed);
        }
    }

    private void goesOn() throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = producer()) {
            producer.send(new ProducerRecord<>("after", 0, null, new byte[1])).get();
        }
    }
}
