// SPDX-License-Identifier: Apache-2.0

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.DescribeReplicaLogDirsResult.ReplicaLogDirInfo;
import org.apache.kafka.common.TopicPartitionReplica;

/** A partition moves between the log directories of broker 1: kafka-clients' administration client. */
final class LogDirs extends Scenario {
    private final AdminClient admin;
    private final String topic;
    private final TopicPartitionReplica replica;

    private LogDirs(String bootstrap, String topic) {
        super(bootstrap);
        this.topic = topic;
        replica = new TopicPartitionReplica(topic, 0, 1);
        admin = AdminClient.create(config());
    }

    public static void main(String[] args) {
        LogDirs d = new LogDirs(args[0], args[1]);
        d.step("describe", d::describe);
        d.step("move", d::move);
        d.step("stay", d::stay);
        d.step("refused", d::refused);
        d.step("not there yet", d::notThereYet);
        d.admin.close();
    }

    private Set<String> dirs() throws Exception {
        return new TreeSet<>(get(admin.describeLogDirs(List.of(1)).allDescriptions()).get(1).keySet());
    }

    private ReplicaLogDirInfo info() throws Exception {
        return get(admin.describeReplicaLogDirs(List.of(replica)).all()).get(replica);
    }

    private void describe() throws Exception {
        same(3, dirs().size());
        that(dirs().contains(info().getCurrentReplicaLogDir()), "in one of them");
        same(null, info().getFutureReplicaLogDir());
        same(0L, info().getCurrentReplicaOffsetLag());
    }

    private void move() throws Exception {
        for (String dir : dirs()) {
            get(admin.alterReplicaLogDirs(Map.of(replica, dir)).all());
            long deadline = System.nanoTime() + LIMIT_S * 1000000000L;
            while (!dir.equals(info().getCurrentReplicaLogDir())) {
                that(System.nanoTime() < deadline, "it comes to " + dir);
                Thread.sleep(10);
            }
        }
    }

    private void stay() throws Exception {
        String here = info().getCurrentReplicaLogDir();
        get(admin.alterReplicaLogDirs(Map.of(replica, here)).all());
        same(here, info().getCurrentReplicaLogDir());
        same(null, info().getFutureReplicaLogDir());
    }

    private void refused() throws Exception {
        same("LogDirNotFoundException", refusal(admin.alterReplicaLogDirs(Map.of(replica, "/nope")).all()));
    }

    private void notThereYet() throws Exception {
        TopicPartitionReplica none = new TopicPartitionReplica(topic + "-none", 0, 1);
        String here = info().getCurrentReplicaLogDir();
        var result = admin.alterReplicaLogDirs(Map.of(none, here, replica, here));
        same("UnknownTopicOrPartitionException", refusal(result.values().get(none)));
        same("nothing", refusal(result.values().get(replica)));
    }
}
