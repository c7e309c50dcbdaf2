// SPDX-License-Identifier: Apache-2.0

package withsarama

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"klamm/test/clients/golang/scenario"
)

const (
	topic = "sarama-admin"
	group = "sarama-admin-group"
)

type admin struct {
	bootstrap string
	sarama.ClusterAdmin
}

// Admin are the steps of the administration client.
func Admin(bootstrap string) {
	a := admin{bootstrap, scenario.Got(sarama.NewClusterAdmin([]string{bootstrap}, quick()))}
	scenario.Step("create a topic", a.create)
	scenario.Step("create refused", a.createRefused)
	scenario.Step("describe topics and brokers", a.describe)
	scenario.Step("describe configs", a.describeConfigs)
	scenario.Step("alter configs", a.alterConfigs)
	scenario.Step("alter configs, the old way", a.alterConfigsState)
	scenario.Step("create partitions", a.createPartitions)
	scenario.Step("list offsets", a.listOffsets)
	scenario.Step("delete records", a.deleteRecords)
	scenario.Step("describe log dirs", a.logDirs)
	scenario.Step("list and describe groups", a.groups)
	scenario.Step("offsets of a group", a.groupOffsets)
	scenario.Step("delete groups", a.deleteGroups)
	scenario.Step("delete topics", a.deleteTopics)
	scenario.Must(a.Close())
}

func (a admin) create(context.Context) {
	kept := detail(3, 1)
	kept.ConfigEntries = map[string]*string{"retention.ms": new("1234567")}
	scenario.Must(a.CreateTopic(topic, kept, false))
	placed := detail(-1, -1)
	placed.ReplicaAssignment = map[int32][]int32{0: {1}, 1: {1}}
	scenario.Must(a.CreateTopic("sarama-by-hand", placed, false))
}

func (a admin) createRefused(ctx context.Context) {
	refused := func(wanted error, name string, partitions int32, replicas int16, key string) {
		wrong := detail(partitions, replicas)
		if key != "" {
			wrong.ConfigEntries = map[string]*string{key: new("1")}
		}
		scenario.Refused(wanted, a.CreateTopic(name, wrong, false))
	}
	refused(sarama.ErrTopicAlreadyExists, topic, 1, 1, "")
	refused(sarama.ErrInvalidTopic, "sarama admin", 1, 1, "")
	refused(sarama.ErrInvalidPartitions, "sarama-x", 0, 1, "")
	refused(sarama.ErrInvalidReplicationFactor, "sarama-x", 1, 2, "")
	refused(sarama.ErrInvalidConfig, "sarama-x", 1, 1, "no.such")
	scenario.Must(a.CreateTopic("sarama-x", detail(1, 1), true))
	_, is := scenario.Got(a.ListTopics())["sarama-x"]
	scenario.That(!is, "nothing was made")
}

func (a admin) partitions() any {
	return len(scenario.Got(a.DescribeTopics([]string{topic}))[0].Partitions)
}

func (a admin) describe(ctx context.Context) {
	scenario.Until(ctx, 3, a.partitions)
	for _, p := range scenario.Got(a.DescribeTopics([]string{topic}))[0].Partitions {
		scenario.Same([]any{int32(1), []int32{1}, []int32{1}}, []any{p.Leader, p.Replicas, p.Isr})
	}
	none := scenario.Got(a.DescribeTopics([]string{"none"}))[0]
	scenario.Refused(sarama.ErrUnknownTopicOrPartition, none.Err)
	listed := scenario.Got(a.ListTopics())
	scenario.Same(int32(3), listed[topic].NumPartitions)
	scenario.Same(int16(1), listed[topic].ReplicationFactor)
	scenario.Same("1234567", *listed[topic].ConfigEntries["retention.ms"])
	scenario.Same(int32(2), listed["sarama-by-hand"].NumPartitions)
	brokers, controller, err := a.DescribeCluster()
	scenario.Must(err)
	scenario.Same([]any{1, int32(1)}, []any{len(brokers), controller})
	scenario.Same(a.bootstrap, brokers[0].Addr())
}

func (a admin) entry(key string) sarama.ConfigEntry {
	ours := sarama.ConfigResource{Type: sarama.TopicResource, Name: topic}
	for _, e := range scenario.Got(a.DescribeConfig(ours)) {
		if e.Name == key {
			return e
		}
	}
	panic("no " + key)
}

func (a admin) value(key string) func() any {
	return func() any { return a.entry(key).Value }
}

func (a admin) describeConfigs(context.Context) {
	scenario.Same("1234567", a.entry("retention.ms").Value)
	scenario.Same(sarama.SourceTopic, a.entry("retention.ms").Source)
	scenario.Same(sarama.SourceDefault, a.entry("segment.bytes").Source)
	_, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: "none"})
	scenario.Refused(sarama.ErrUnknownTopicOrPartition, err)
	broker := scenario.Got(a.DescribeConfigs(
		[]*sarama.ConfigResource{{Type: sarama.BrokerResource, Name: "1"}},
		sarama.DescribeConfigsOptions{IncludeSynonyms: true}))
	scenario.That(len(broker[0].Configs) > 100, "configs of the broker")
}

func (a admin) alter(op sarama.IncrementalAlterConfigsOperation, key, value string) error {
	return a.IncrementalAlterConfig(sarama.TopicResource, topic,
		map[string]sarama.IncrementalAlterConfigsEntry{key: {Operation: op, Value: &value}}, false)
}

const (
	set      = sarama.IncrementalAlterConfigsOperationSet
	unset    = sarama.IncrementalAlterConfigsOperationDelete
	add      = sarama.IncrementalAlterConfigsOperationAppend
	subtract = sarama.IncrementalAlterConfigsOperationSubtract
)

func (a admin) alterConfigs(ctx context.Context) {
	scenario.Must(a.alter(set, "segment.bytes", "2000000"))
	scenario.Must(a.alter(unset, "retention.ms", ""))
	scenario.Must(a.alter(add, "cleanup.policy", "compact"))
	scenario.Until(ctx, "delete,compact", a.value("cleanup.policy"))
	scenario.Must(a.alter(subtract, "cleanup.policy", "compact"))
	scenario.Until(ctx, "delete", a.value("cleanup.policy"))
	scenario.Same("2000000", a.entry("segment.bytes").Value)
	scenario.Same("604800000", a.entry("retention.ms").Value)
	scenario.Refused(sarama.ErrInvalidConfig, a.alter(set, "segment.bytes", "many"))
}

func (a admin) alterConfigsState(ctx context.Context) {
	age := "7654321"
	entries := map[string]*string{"retention.ms": &age}
	scenario.Must(a.AlterConfig(sarama.TopicResource, topic, entries, false))
	scenario.Until(ctx, age, a.value("retention.ms"))
	scenario.Same("1073741824", a.entry("segment.bytes").Value)
}

func (a admin) createPartitions(ctx context.Context) {
	scenario.Must(a.CreatePartitions(topic, 5, nil, false))
	scenario.Until(ctx, 5, a.partitions)
	scenario.Must(a.CreatePartitions(topic, 6, [][]int32{{1}}, false))
	scenario.Until(ctx, 6, a.partitions)
	scenario.Refused(sarama.ErrInvalidPartitions, a.CreatePartitions(topic, 4, nil, false))
}

func (a admin) offset(at int64) int64 {
	found := scenario.Got(a.ListOffsets(map[string]map[int32]int64{topic: {0: at}}, nil))[topic][0]
	scenario.Must(failure(found.Err))
	return found.Offset
}

func (a admin) listOffsets(context.Context) {
	at := time.UnixMilli(time.Now().UnixMilli() - 100000)
	numbers(a.bootstrap, topic, 10, at)
	scenario.Same(int64(0), a.offset(sarama.OffsetOldest))
	scenario.Same(int64(10), a.offset(sarama.OffsetNewest))
	scenario.Same(int64(4), a.offset(at.UnixMilli()+3500))
	scenario.Same(int64(-1), a.offset(at.UnixMilli()+99000))
}

func (a admin) deleteRecords(ctx context.Context) {
	scenario.Must(a.DeleteRecords(topic, map[int32]int64{0: 4}))
	err := a.DeleteRecords(topic, map[int32]int64{0: 11})
	scenario.That(err != nil && strings.Contains(err.Error(), sarama.ErrOffsetOutOfRange.Error()),
		"out of range")
	scenario.Same(int64(4), a.offset(sarama.OffsetOldest))
	left := read(ctx, a.bootstrap, topic, quick(), sarama.OffsetOldest, upTo(9))
	scenario.Same("456789", values(left))
}

func (a admin) logDirs(context.Context) {
	dirs := scenario.Got(a.DescribeLogDirs([]int32{1}))[1]
	scenario.Same(1, len(dirs))
	scenario.Same(sarama.ErrNoError, dirs[0].ErrorCode)
	scenario.That(dirs[0].TotalBytes > dirs[0].UsableBytes, "the volume is larger than its rest")
	scenario.That(dirs[0].UsableBytes > 0, "the volume has room")
	sizes := map[int32]int64{}
	for _, t := range dirs[0].Topics {
		for _, p := range t.Partitions {
			if t.Topic == topic {
				sizes[p.PartitionID] = p.Size
			}
		}
	}
	scenario.Same(6, len(sizes))
	scenario.That(sizes[0] > 0, "a size")
	scenario.Same(int64(0), sizes[1])
}

func (a admin) described() *sarama.GroupDescription {
	return scenario.Got(a.DescribeConsumerGroups([]string{group}))[0]
}

func (a admin) state() any { return a.described().State }

// reader marks what it has read and says when that are so many.
type reader struct {
	left int
	done func()
	lock sync.Mutex
}

func (r *reader) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (r *reader) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (r *reader) ConsumeClaim(session sarama.ConsumerGroupSession,
	claim sarama.ConsumerGroupClaim) error {
	for m := range claim.Messages() {
		session.MarkMessage(m, "of sarama")
		r.lock.Lock()
		if r.left--; r.left == 0 {
			r.done()
		}
		r.lock.Unlock()
	}
	return nil
}

func (a admin) groups(ctx context.Context) {
	config := quick()
	config.ClientID = "its-client"
	member := scenario.Got(sarama.NewConsumerGroup([]string{a.bootstrap}, group, config))
	over, leave := context.WithCancel(ctx)
	read, readAll := context.WithCancel(ctx)
	var consuming sync.WaitGroup
	consuming.Go(func() {
		scenario.Must(member.Consume(over, []string{topic}, &reader{left: 6, done: readAll}))
	})
	<-read.Done()
	scenario.Until(ctx, "Stable", a.state)
	told := a.described()
	scenario.Same([]string{"consumer", "range"}, []string{told.ProtocolType, told.Protocol})
	scenario.Same(1, len(told.Members))
	for _, m := range told.Members {
		scenario.Same("its-client", m.ClientId)
		assigned := scenario.Got(m.GetMemberAssignment())
		scenario.Same([]int32{0, 1, 2, 3, 4, 5}, assigned.Topics[topic])
	}
	scenario.Same("consumer", scenario.Got(a.ListConsumerGroups())[group])
	scenario.Refused(sarama.ErrNonEmptyGroup, a.DeleteConsumerGroup(group))
	leave()
	consuming.Wait()
	scenario.Must(member.Close())
	scenario.Until(ctx, "Empty", a.state)
}

func (a admin) committed(partition int32) []any {
	blocks := scenario.Got(a.ListConsumerGroupOffsets(group, nil))
	block := blocks.GetBlock(topic, partition)
	if block == nil {
		return nil
	}
	scenario.Must(failure(block.Err))
	return []any{block.Offset, block.Metadata}
}

func (a admin) groupOffsets(context.Context) {
	scenario.Same([]any{int64(10), "of sarama"}, a.committed(0))
	offsets := map[string]map[int32]sarama.OffsetAndMetadata{topic: {
		0: {Offset: 7, Metadata: "by hand", LeaderEpoch: -1},
		1: {Offset: 3, LeaderEpoch: -1}}}
	answer := scenario.Got(a.AlterConsumerGroupOffsets(group, offsets, nil))
	scenario.Same(sarama.ErrNoError, answer.Errors[topic][0])
	scenario.Same([]any{int64(7), "by hand"}, a.committed(0))
	scenario.Same([]any{int64(3), ""}, a.committed(1))
	scenario.Must(a.DeleteConsumerGroupOffset(group, topic, 1))
	scenario.Same([]any{int64(7), "by hand"}, a.committed(0))
	scenario.Same([]any(nil), a.committed(1))
}

func (a admin) deleteGroups(context.Context) {
	scenario.Must(a.DeleteConsumerGroup(group))
	_, is := scenario.Got(a.ListConsumerGroups())[group]
	scenario.That(!is, "it is gone")
	scenario.Refused(sarama.ErrGroupIDNotFound, a.DeleteConsumerGroup(group))
}

func (a admin) deleteTopics(context.Context) {
	scenario.Must(a.DeleteTopic(topic))
	scenario.Must(a.DeleteTopic("sarama-by-hand"))
	scenario.Refused(sarama.ErrUnknownTopicOrPartition, a.DeleteTopic(topic))
	_, is := scenario.Got(a.ListTopics())[topic]
	scenario.That(!is, "it is gone")
}
