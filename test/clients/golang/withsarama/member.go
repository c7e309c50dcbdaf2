// SPDX-License-Identifier: Apache-2.0

// Package withsarama does everything by sarama.
package withsarama

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"klamm/test/clients/golang/scenario"
)

// quick has short waits; a test has none that need to be long.
func quick() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Metadata.Retry.Max = 1000
	config.Metadata.Retry.Backoff = 20 * time.Millisecond
	config.Consumer.Retry.Backoff = 20 * time.Millisecond
	config.Consumer.MaxWaitTime = 50 * time.Millisecond
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Group.Rebalance.Retry.Max = 1000
	config.Consumer.Group.Rebalance.Retry.Backoff = 20 * time.Millisecond
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	config.Producer.Retry.Max = 10000
	config.Producer.Timeout = 30 * time.Second // as patient with a slow machine as the others
	config.Admin.Timeout = 30 * time.Second
	config.Producer.Retry.Backoff = 20 * time.Millisecond
	return config
}

type handler struct {
	topic   string
	commits sync.Mutex
}

func (h *handler) Setup(session sarama.ConsumerGroupSession) error {
	scenario.SayAssigned(session.Claims()[h.topic])
	return nil
}

func (h *handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (h *handler) ConsumeClaim(session sarama.ConsumerGroupSession,
	claim sarama.ConsumerGroupClaim) error {
	for first := range claim.Messages() {
		batch := []*sarama.ConsumerMessage{first}
		for ready := true; ready && len(batch) < 1000; {
			select {
			case message, open := <-claim.Messages():
				if ready = open; open {
					batch = append(batch, message)
				}
			default:
				ready = false
			}
		}
		h.done(session, batch)
	}
	return nil
}

// done commits them. Sarama tells nothing of a commit that failed, but tries again: its own,
// periodic commits are on.
func (h *handler) done(session sarama.ConsumerGroupSession, batch []*sarama.ConsumerMessage) {
	h.commits.Lock()
	defer h.commits.Unlock()
	session.MarkMessage(batch[len(batch)-1], "")
	session.Commit()
	var seen []scenario.Seen
	for _, m := range batch {
		seen = append(seen, scenario.Seen{m.Partition, m.Offset, string(m.Value)})
	}
	scenario.SayRecords(seen)
}

// Member is one of a group, with the strategy that is the library's default (range).
func Member(told scenario.Member) {
	over := scenario.UntilLeave()
	config := quick()
	config.Consumer.Offsets.AutoCommit.Interval = 100 * time.Millisecond
	config.Consumer.Group.Session.Timeout = told.Session()
	config.Consumer.Group.Heartbeat.Interval = told.Heartbeat()
	if told.Instance != nil {
		config.Consumer.Group.InstanceId = *told.Instance
	}
	group := scenario.Got(sarama.NewConsumerGroup([]string{told.Bootstrap}, told.Group, config))
	h := &handler{topic: told.Topic}
	for over.Err() == nil {
		err := group.Consume(over, []string{told.Topic}, h)
		if err != nil && !errors.Is(err, context.Canceled) {
			scenario.SayRefused(err)
		}
	}
	scenario.Must(group.Close())
}
