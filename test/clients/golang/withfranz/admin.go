// SPDX-License-Identifier: Apache-2.0

package withfranz

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"klamm/test/clients/golang/scenario"
)

const (
	topic = "franz-admin"
	group = "franz-admin-group"
)

type admin struct {
	bootstrap string
	c         *kgo.Client
	adm       *kadm.Client
}

// Admin are the steps of the administration client.
func Admin(bootstrap string) {
	c := client(bootstrap)
	defer c.Close()
	a := admin{bootstrap, c, kadm.NewClient(c)}
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
}

func (a admin) create(ctx context.Context) {
	configs := map[string]*string{"retention.ms": new("1234567")}
	made := scenario.Got(a.adm.CreateTopic(ctx, 3, 1, configs, topic))
	scenario.Same(int32(3), made.NumPartitions)
	scenario.Same(int16(1), made.ReplicationFactor)
	scenario.Same("1234567", *made.Configs["retention.ms"].Value)
	scenario.That(made.ID != kadm.TopicID{}, "an id")
}

func (a admin) createRefused(ctx context.Context) {
	refused := func(wanted error, partitions int32, replicas int16, name, key string) {
		configs := map[string]*string{}
		if key != "" {
			configs[key] = new("1")
		}
		_, err := a.adm.CreateTopic(ctx, partitions, replicas, configs, name)
		scenario.Refused(wanted, err)
	}
	refused(kerr.TopicAlreadyExists, 1, 1, topic, "")
	refused(kerr.InvalidTopicException, 1, 1, "franz admin", "")
	refused(kerr.InvalidPartitions, 0, 1, "franz-x", "")
	refused(kerr.InvalidReplicationFactor, 1, 2, "franz-x", "")
	refused(kerr.InvalidConfig, 1, 1, "franz-x", "no.such")
	validated := scenario.Got(a.adm.ValidateCreateTopics(ctx, 2, 1, nil, "franz-x"))
	scenario.Must(validated["franz-x"].Err)
	scenario.That(!scenario.Got(a.adm.ListTopics(ctx)).Has("franz-x"), "nothing was made")
}

func (a admin) partitions(ctx context.Context) any {
	return len(scenario.Got(a.adm.ListTopics(ctx, topic))[topic].Partitions)
}

func (a admin) describe(ctx context.Context) {
	scenario.Until(ctx, 3, func() any { return a.partitions(ctx) })
	for _, p := range scenario.Got(a.adm.ListTopics(ctx, topic))[topic].Partitions {
		scenario.Same(int32(1), p.Leader)
		scenario.Same([]int32{1}, p.Replicas)
		scenario.Same([]int32{1}, p.ISR)
	}
	none := scenario.Got(a.adm.ListTopics(ctx, "none"))["none"]
	scenario.Refused(kerr.UnknownTopicOrPartition, none.Err)
	meta := scenario.Got(a.adm.BrokerMetadata(ctx))
	scenario.Same([]int32{1}, meta.Brokers.NodeIDs())
	scenario.Same(int32(1), meta.Controller)
	scenario.Same(22, len(meta.Cluster))
}

func (a admin) config(ctx context.Context, key string) kadm.Config {
	described := scenario.Got(scenario.Got(a.adm.DescribeTopicConfigs(ctx, topic)).On(topic, nil))
	scenario.Must(described.Err)
	for _, c := range described.Configs {
		if c.Key == key {
			return c
		}
	}
	panic("no " + key)
}

func (a admin) value(ctx context.Context, key string) func() any {
	return func() any { return *a.config(ctx, key).Value }
}

func (a admin) describeConfigs(ctx context.Context) {
	scenario.Same("1234567", *a.config(ctx, "retention.ms").Value)
	scenario.Same(kmsg.ConfigSourceDynamicTopicConfig, a.config(ctx, "retention.ms").Source)
	scenario.Same(kmsg.ConfigSourceDefaultConfig, a.config(ctx, "segment.bytes").Source)
	none := scenario.Got(a.adm.DescribeTopicConfigs(ctx, "none"))
	scenario.Refused(kerr.UnknownTopicOrPartition, none[0].Err)
	broker := scenario.Got(a.adm.DescribeBrokerConfigs(ctx, 1))
	scenario.Must(broker[0].Err)
	scenario.That(len(broker[0].Configs) > 100, "configs of the broker")
}

func (a admin) alter(ctx context.Context, op kadm.IncrementalOp, key, value string) error {
	answers, err := a.adm.AlterTopicConfigs(ctx,
		[]kadm.AlterConfig{{Op: op, Name: key, Value: &value}}, topic)
	scenario.Must(err)
	return answers[0].Err
}

func (a admin) alterConfigs(ctx context.Context) {
	scenario.Must(a.alter(ctx, kadm.SetConfig, "segment.bytes", "2000000"))
	scenario.Must(a.alter(ctx, kadm.DeleteConfig, "retention.ms", ""))
	scenario.Must(a.alter(ctx, kadm.AppendConfig, "cleanup.policy", "compact"))
	scenario.Until(ctx, "delete,compact", a.value(ctx, "cleanup.policy"))
	scenario.Must(a.alter(ctx, kadm.SubtractConfig, "cleanup.policy", "compact"))
	scenario.Until(ctx, "delete", a.value(ctx, "cleanup.policy"))
	scenario.Same("2000000", *a.config(ctx, "segment.bytes").Value)
	scenario.Same("604800000", *a.config(ctx, "retention.ms").Value)
	scenario.Refused(kerr.InvalidConfig, a.alter(ctx, kadm.SetConfig, "segment.bytes", "many"))
}

func (a admin) alterConfigsState(ctx context.Context) {
	age := "7654321"
	answers := scenario.Got(a.adm.AlterTopicConfigsState(ctx,
		[]kadm.AlterConfig{{Name: "retention.ms", Value: &age}}, topic))
	scenario.Must(answers[0].Err)
	scenario.Until(ctx, age, a.value(ctx, "retention.ms"))
	scenario.Same("1073741824", *a.config(ctx, "segment.bytes").Value)
}

func (a admin) createPartitions(ctx context.Context) {
	scenario.Must(scenario.Got(a.adm.CreatePartitions(ctx, 2, topic)).Error())
	scenario.Until(ctx, 5, func() any { return a.partitions(ctx) })
	scenario.Must(scenario.Got(a.adm.UpdatePartitions(ctx, 6, topic)).Error())
	scenario.Until(ctx, 6, func() any { return a.partitions(ctx) })
	fewer := scenario.Got(a.adm.UpdatePartitions(ctx, 4, topic))
	scenario.Refused(kerr.InvalidPartitions, fewer.Error())
}

func (a admin) listOffsets(ctx context.Context) {
	at := time.UnixMilli(time.Now().UnixMilli() - 100000)
	numbers(ctx, a.bootstrap, topic, 10, at)
	offset := func(listed kadm.ListedOffsets, err error) int64 {
		scenario.Must(err)
		found, _ := listed.Lookup(topic, 0)
		scenario.Must(found.Err)
		return found.Offset
	}
	scenario.Same(int64(0), offset(a.adm.ListStartOffsets(ctx, topic)))
	scenario.Same(int64(10), offset(a.adm.ListEndOffsets(ctx, topic)))
	scenario.Same(int64(10), offset(a.adm.ListCommittedOffsets(ctx, topic)))
	scenario.Same(int64(9), offset(a.adm.ListMaxTimestampOffsets(ctx, topic)))
	scenario.Same(int64(0), offset(a.adm.ListLocalLogStartOffsets(ctx, topic)))
	scenario.Same(int64(4), offset(a.adm.ListOffsetsAfterMilli(ctx, at.UnixMilli()+3500, topic)))
	// Behind the last record kadm gives the end.
	scenario.Same(int64(10), offset(a.adm.ListOffsetsAfterMilli(ctx, at.UnixMilli()+99000, topic)))
}

func (a admin) deleteRecords(ctx context.Context) {
	before := func(offset int64) kadm.DeleteRecordsResponse {
		var offsets kadm.Offsets
		offsets.AddOffset(topic, 0, offset, -1)
		answers, err := a.adm.DeleteRecords(ctx, offsets)
		scenario.Must(err)
		answer, _ := answers.Lookup(topic, 0)
		return answer
	}
	done := before(4)
	scenario.Must(done.Err)
	scenario.Same(int64(4), done.LowWatermark)
	scenario.Refused(kerr.OffsetOutOfRange, before(11).Err)
	start, _ := scenario.Got(a.adm.ListStartOffsets(ctx, topic)).Lookup(topic, 0)
	scenario.Same(int64(4), start.Offset)
	consumer := client(a.bootstrap, kgo.ConsumePartitions(
		map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	defer consumer.Close()
	scenario.Same("456789", values(read(ctx, consumer, 6)))
}

func (a admin) logDirs(ctx context.Context) {
	dirs := scenario.Got(a.adm.DescribeAllLogDirs(ctx, nil))[1]
	scenario.Same(1, len(dirs))
	for _, dir := range dirs {
		scenario.Must(dir.Err)
		scenario.Same(6, len(dir.Topics[topic]))
		scenario.That(dir.Topics[topic][0].Size > 0, "a size")
		scenario.Same(int64(0), dir.Topics[topic][1].Size)
		scenario.That(dir.TotalBytes > dir.UsableBytes && dir.UsableBytes > 0, "the volume")
	}
}

func (a admin) described(ctx context.Context) kadm.DescribedGroup {
	return scenario.Got(scenario.Got(a.adm.DescribeGroups(ctx, group)).On(group, nil))
}

func (a admin) groups(ctx context.Context) {
	member := client(a.bootstrap, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.ClientID("its-client"))
	read(ctx, member, 6)
	scenario.Until(ctx, "Stable", func() any { return a.described(ctx).State })
	told := a.described(ctx)
	scenario.Same([]any{"consumer", "cooperative-sticky", 1},
		[]any{told.ProtocolType, told.Protocol, len(told.Members)})
	scenario.Same("its-client", told.Members[0].ClientID)
	scenario.Same([]int32{0, 1, 2, 3, 4, 5},
		slices.Sorted(maps.Keys(told.AssignedPartitions()[topic])))
	listed := scenario.Got(a.adm.ListGroups(ctx, "Stable"))[group]
	scenario.Same([]any{group, "classic", "consumer", "Stable"},
		[]any{listed.Group, listed.GroupType, listed.ProtocolType, listed.State})
	scenario.Refused(kerr.NonEmptyGroup, scenario.Got(a.adm.DeleteGroups(ctx, group)).Error())
	scenario.Must(member.CommitUncommittedOffsets(ctx))
	lag := scenario.Got(a.adm.Lag(ctx, group))[group]
	scenario.Must(lag.Error())
	scenario.Same(int64(0), lag.Lag.Total())
	member.Close()
	scenario.Until(ctx, "Empty", func() any { return a.described(ctx).State })
	_, is := scenario.Got(a.adm.ListGroups(ctx, "Stable"))[group]
	scenario.That(!is, "it is not stable any more")
	scenario.Same("Empty", scenario.Got(a.adm.ListGroups(ctx))[group].State)
}

func (a admin) groupOffsets(ctx context.Context) {
	committed := func(partition int32) any {
		found, is := scenario.Got(a.adm.FetchOffsets(ctx, group)).Lookup(topic, partition)
		if !is {
			return nil
		}
		scenario.Must(found.Err)
		return found.At
	}
	scenario.Same(int64(10), committed(0))
	var offsets kadm.Offsets
	offsets.AddOffset(topic, 0, 7, -1)
	offsets.AddOffset(topic, 1, 3, -1)
	scenario.Must(a.adm.CommitAllOffsets(ctx, group, offsets))
	scenario.Same(int64(7), committed(0))
	scenario.Same(int64(3), committed(1))
	var one kadm.TopicsSet
	one.Add(topic, 1)
	scenario.Must(scenario.Got(a.adm.DeleteOffsets(ctx, group, one)).Error())
	scenario.Same(int64(7), committed(0))
	scenario.Same(nil, committed(1))
}

func (a admin) deleteGroups(ctx context.Context) {
	scenario.Must(scenario.Got(a.adm.DeleteGroups(ctx, group)).Error())
	_, is := scenario.Got(a.adm.ListGroups(ctx))[group]
	scenario.That(!is, "it is gone")
	scenario.Refused(kerr.GroupIDNotFound, scenario.Got(a.adm.DeleteGroups(ctx, group)).Error())
}

func (a admin) deleteTopics(ctx context.Context) {
	scenario.Got(a.adm.DeleteTopic(ctx, topic))
	_, err := a.adm.DeleteTopic(ctx, topic)
	scenario.Refused(kerr.UnknownTopicOrPartition, err)
	// The client lists topics from a cache.
	for _, t := range scenario.Got(kmsg.NewPtrMetadataRequest().RequestWith(ctx, a.c)).Topics {
		scenario.That(*t.Topic != topic, "it is gone")
	}
}
