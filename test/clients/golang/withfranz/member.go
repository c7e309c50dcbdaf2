// SPDX-License-Identifier: Apache-2.0

// Package withfranz does everything by franz-go: kgo and its administration client kadm.
package withfranz

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"klamm/test/clients/golang/scenario"
)

// client has short waits; a test has none that need to be long.
func client(bootstrap string, more ...kgo.Opt) *kgo.Client {
	quick := func(int) time.Duration { return 20 * time.Millisecond }
	return scenario.Got(kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(bootstrap),
		kgo.RetryBackoffFn(quick), kgo.MetadataMinAge(50 * time.Millisecond),
		kgo.FetchMaxWait(50 * time.Millisecond)}, more...)...))
}

// owned is what a member has, which the library tells by differences.
type owned map[int32]bool

func (o owned) change(topic string, partitions map[string][]int32, has bool) {
	for _, p := range partitions[topic] {
		if delete(o, p); has {
			o[p] = true
		}
	}
	var now []int32
	for p := range o {
		now = append(now, p)
	}
	scenario.SayAssigned(now)
}

// Member is one of a group, with the balancer that is the library's default (cooperative-sticky),
// but for static ones: a leader that comes back makes a plan of its own, though it is told not to
// (KIP-814), and has all join again when that differs from what the group has. That of range is
// the same.
func Member(told scenario.Member) {
	over := scenario.UntilLeave()
	has := owned{}
	changed := func(is bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			has.change(told.Topic, partitions, is)
		}
	}
	options := []kgo.Opt{kgo.ConsumerGroup(told.Group), kgo.ConsumeTopics(told.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(told.Session()), kgo.HeartbeatInterval(told.Heartbeat()),
		kgo.OnPartitionsAssigned(changed(true)), kgo.OnPartitionsRevoked(changed(false)),
		kgo.OnPartitionsLost(changed(false))}
	if told.Instance != nil {
		options = append(options, kgo.InstanceID(*told.Instance),
			kgo.Balancers(kgo.RangeBalancer()))
	}
	member := client(told.Bootstrap, options...)
	for over.Err() == nil {
		records := member.PollRecords(over, 1000).Records()
		if len(records) == 0 {
			continue
		}
		if err := member.CommitRecords(context.Background(), records...); err != nil {
			scenario.SayRefused(err)
		}
		var seen []scenario.Seen
		for _, r := range records {
			seen = append(seen, scenario.Seen{r.Partition, r.Offset, string(r.Value)})
		}
		scenario.SayRecords(seen)
	}
	member.Close()
}
