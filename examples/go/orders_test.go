// SPDX-License-Identifier: Apache-2.0

// Package orders shows what tests with a broker of their own look like.
package orders

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func send(ctx context.Context, t *testing.T, to *broker, topic string, values ...string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(to.bootstrap), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, value := range values {
		record := &kgo.Record{Topic: topic, Value: []byte(value)}
		if err := client.ProduceSync(ctx, record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatIsSentIsRead(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	send(ctx, t, shared, "orders", "a", "b", "c")
	client, err := kgo.NewClient(kgo.SeedBrokers(shared.bootstrap), kgo.ConsumerGroup("billing"),
		kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var values []string
	for len(values) < 3 && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			values = append(values, string(r.Value))
		})
	}
	if !slices.Equal(values, []string{"a", "b", "c"}) {
		t.Fatalf("read %q", values)
	}
}

func TestOldRecordsGo(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	own, err := startBroker() // what other tests have sent would be old by this one
	if err != nil {
		t.Fatal(err)
	}
	defer own.stop()
	send(ctx, t, own, "clicks", "x")
	if err = own.advance(48 * time.Hour); err != nil { // more than log.retention.hours
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(own.bootstrap))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for start := int64(0); start == 0; { // retention runs beside us
		offsets, err := admin.ListStartOffsets(ctx, "clicks")
		if err != nil {
			t.Fatal(err)
		}
		offset, _ := offsets.Lookup("clicks", 0)
		start = offset.Offset
	}
}
