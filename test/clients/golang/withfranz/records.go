// SPDX-License-Identifier: Apache-2.0

package withfranz

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"klamm/test/clients/golang/scenario"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}

// Produce is done when all is acknowledged. The producer is idempotent: that is the default.
func Produce(bootstrap, topic, codec string, rows []scenario.Row) {
	producer := client(bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[codec]))
	defer producer.Close()
	for _, row := range rows {
		record := &kgo.Record{Topic: topic, Partition: row.Partition, Value: []byte(row.Value)}
		if row.At >= 0 {
			record.Timestamp = time.UnixMilli(row.At)
		}
		producer.Produce(context.Background(), record, func(_ *kgo.Record, err error) {
			scenario.Must(err)
		})
	}
	scenario.Must(producer.Flush(context.Background()))
}

// numbers are records "0", "1", ... of partition 0, a batch each, a second apart.
func numbers(ctx context.Context, bootstrap, topic string, count int, at time.Time) {
	producer := client(bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer producer.Close()
	for i := range count {
		record := kgo.Record{Topic: topic, Value: []byte(strconv.Itoa(i)),
			Timestamp: at.Add(time.Duration(i) * time.Second)}
		scenario.Must(producer.ProduceSync(ctx, &record).FirstErr())
	}
}

// read polls until so many records have come.
func read(ctx context.Context, consumer *kgo.Client, count int) []*kgo.Record {
	var records []*kgo.Record
	for len(records) < count {
		records = append(records, consumer.PollFetches(ctx).Records()...)
		scenario.That(ctx.Err() == nil, fmt.Sprintf("%d of %d records", len(records), count))
	}
	return records
}

func values(records []*kgo.Record) string {
	var all []byte
	for _, r := range records {
		all = append(all, r.Value...)
	}
	return string(all)
}

// Records are the steps that need no group.
func Records(bootstrap string) {
	c := client(bootstrap)
	defer c.Close()
	adm := kadm.NewClient(c)
	scenario.Step("consume from a time", func(ctx context.Context) {
		fromATime(ctx, bootstrap, adm)
	})
	scenario.Step("a message of 10 MB", func(ctx context.Context) {
		large(ctx, bootstrap, adm)
	})
}

func fromATime(ctx context.Context, bootstrap string, adm *kadm.Client) {
	at := time.UnixMilli(time.Now().UnixMilli() - 100000)
	scenario.Got(adm.CreateTopic(ctx, 1, 1, nil, "franz-time"))
	numbers(ctx, bootstrap, "franz-time", 10, at)
	after := at.Add(4500 * time.Millisecond).UnixMilli()
	listed := scenario.Got(adm.ListOffsetsAfterMilli(ctx, after, "franz-time"))
	found, _ := listed.Lookup("franz-time", 0)
	scenario.Must(found.Err)
	scenario.Same(int64(5), found.Offset)
	scenario.Same(at.UnixMilli()+5000, found.Timestamp)
	for _, start := range []kgo.Offset{kgo.NewOffset().AfterMilli(after), kgo.NewOffset().At(5)} {
		consumer := client(bootstrap, kgo.ConsumePartitions(
			map[string]map[int32]kgo.Offset{"franz-time": {0: start}}))
		scenario.Same("56789", values(read(ctx, consumer, 5)))
		consumer.Close()
	}
}

func large(ctx context.Context, bootstrap string, adm *kadm.Client) {
	configs := map[string]*string{"max.message.bytes": new("12582912")}
	scenario.Got(adm.CreateTopic(ctx, 1, 1, configs, "franz-large"))
	scenario.Got(adm.CreateTopic(ctx, 1, 1, nil, "franz-small"))
	message := scenario.Noise(10 << 20)
	c := client(bootstrap, kgo.ProducerBatchMaxBytes(12<<20), kgo.FetchMaxBytes(32<<20),
		kgo.FetchMaxPartitionBytes(16<<20), kgo.ConsumeTopics("franz-large"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	send := func(topic string) error {
		return c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: message}).FirstErr()
	}
	scenario.Must(send("franz-large"))
	scenario.Must(send("franz-large"))
	scenario.Refused(kerr.MessageTooLarge, send("franz-small"))
	for i, r := range read(ctx, c, 2) {
		scenario.Same(int64(i), r.Offset)
		scenario.That(bytes.Equal(message, r.Value), "the message as it was")
	}
}

// Restarts has an idempotent producer and a consumer live through kills of the broker.
func Restarts(bootstrap, topic string, rounds int) {
	name := "each record once, in order"
	scenario.StepWithin(scenario.LimitLong, name, func(ctx context.Context) {
		// Few are held back by the client; it never rests, so that a kill finds some under way.
		producer := client(bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.MaxBufferedRecords(100), kgo.ProducerLinger(0))
		defer producer.Close()
		var acked atomic.Int64
		send := func(value string) {
			producer.Produce(ctx, &kgo.Record{Topic: topic, Value: []byte(value)},
				func(_ *kgo.Record, err error) {
					if errors.Is(err, kgo.ErrClientClosed) {
						return // the step has failed already
					}
					scenario.Must(err)
					acked.Add(1)
				})
		}
		consumer := client(bootstrap, kgo.ConsumePartitions(
			map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
		defer consumer.Close()
		next := 0
		check := func(records []*kgo.Record) {
			for _, r := range records {
				scenario.Same(strconv.Itoa(next), string(r.Value))
				scenario.Same(int64(next), r.Offset)
				next++
			}
		}
		over := scenario.Restarts(ctx, rounds, &acked)
		count := 0
		for ; over.Err() == nil; count++ {
			send(strconv.Itoa(count))
			if count%1000 == 999 {
				check(read(ctx, consumer, 1))
			}
		}
		scenario.Must(producer.Flush(ctx))
		scenario.Same(int64(count), acked.Load())
		check(read(ctx, consumer, count-next))
		scenario.Same(count, next)
	})
}
