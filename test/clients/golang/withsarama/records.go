// SPDX-License-Identifier: Apache-2.0

package withsarama

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"klamm/test/clients/golang/scenario"
)

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4,
	"zstd": sarama.CompressionZSTD}

// Produce is done when all is acknowledged.
func Produce(bootstrap, topic, codec string, rows []scenario.Row) {
	config := quick()
	config.Producer.Compression = codecs[codec]
	producer := scenario.Got(sarama.NewAsyncProducer([]string{bootstrap}, config))
	var acks sync.WaitGroup
	acks.Go(func() { acknowledged(producer, len(rows)) })
	for _, row := range rows {
		message := &sarama.ProducerMessage{Topic: topic, Partition: row.Partition,
			Value: sarama.StringEncoder(row.Value)}
		if row.At >= 0 {
			message.Timestamp = time.UnixMilli(row.At)
		}
		producer.Input() <- message
	}
	acks.Wait()
	scenario.Must(producer.Close())
}

func acknowledged(producer sarama.AsyncProducer, count int) {
	for range count {
		select {
		case <-producer.Successes():
		case failure := <-producer.Errors():
			panic(failure)
		}
	}
}

// numbers are records "0", "1", ... of partition 0, a batch each, a second apart.
func numbers(bootstrap, topic string, count int, at time.Time) {
	producer := scenario.Got(sarama.NewSyncProducer([]string{bootstrap}, quick()))
	for i := range count {
		_, offset, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic,
			Value:     sarama.StringEncoder(strconv.Itoa(i)),
			Timestamp: at.Add(time.Duration(i) * time.Second)})
		scenario.Must(err)
		scenario.Same(int64(i), offset)
	}
	scenario.Must(producer.Close())
}

// read takes records of partition 0 from an offset until the last wanted has come.
func read(ctx context.Context, bootstrap, topic string, config *sarama.Config, offset int64,
	isLast func(*sarama.ConsumerMessage) bool) []*sarama.ConsumerMessage {
	consumer := scenario.Got(sarama.NewConsumer([]string{bootstrap}, config))
	partition := scenario.Got(consumer.ConsumePartition(topic, 0, offset))
	var all []*sarama.ConsumerMessage
	for done := false; !done; {
		select {
		case message := <-partition.Messages():
			all = append(all, message)
			done = isLast(message)
		case <-ctx.Done():
			panic(fmt.Sprintf("only %d records", len(all)))
		}
	}
	scenario.Must(partition.Close())
	scenario.Must(consumer.Close())
	return all
}

func values(messages []*sarama.ConsumerMessage) string {
	var all []byte
	for _, m := range messages {
		all = append(all, m.Value...)
	}
	return string(all)
}

func upTo(offset int64) func(*sarama.ConsumerMessage) bool {
	return func(m *sarama.ConsumerMessage) bool { return m.Offset == offset }
}

// Records are the steps that need no group.
func Records(bootstrap string) {
	admin := scenario.Got(sarama.NewClusterAdmin([]string{bootstrap}, quick()))
	scenario.Step("consume from a time", func(ctx context.Context) {
		fromATime(ctx, bootstrap, admin)
	})
	scenario.Step("a message of 10 MB", func(ctx context.Context) {
		large(ctx, bootstrap, admin)
	})
	scenario.Must(admin.Close())
}

func fromATime(ctx context.Context, bootstrap string, admin sarama.ClusterAdmin) {
	const topic = "sarama-time"
	at := time.UnixMilli(time.Now().UnixMilli() - 100000)
	scenario.Must(admin.CreateTopic(topic, detail(1, 1), false))
	numbers(bootstrap, topic, 10, at)
	client := scenario.Got(sarama.NewClient([]string{bootstrap}, quick()))
	after := at.UnixMilli() + 4500
	found := scenario.Got(client.GetOffset(topic, 0, after))
	scenario.Same(int64(5), found)
	scenario.Same(int64(-1), scenario.Got(client.GetOffset(topic, 0, after+99000)))
	scenario.Must(client.Close())
	times := map[string]map[int32]int64{topic: {0: after}}
	listed := scenario.Got(admin.ListOffsets(times, nil))[topic][0]
	scenario.Must(failure(listed.Err))
	scenario.Same([]int64{5, at.UnixMilli() + 5000}, []int64{listed.Offset, listed.Timestamp})
	scenario.Same("56789", values(read(ctx, bootstrap, topic, quick(), found, upTo(9))))
}

func detail(partitions int32, replicas int16) *sarama.TopicDetail {
	return &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: replicas}
}

// failure is nil for what sarama tells as an error with code 0.
func failure(err error) error {
	if err == sarama.ErrNoError {
		return nil
	}
	return err
}

func large(ctx context.Context, bootstrap string, admin sarama.ClusterAdmin) {
	topic := detail(1, 1)
	scenario.Must(admin.CreateTopic("sarama-small", topic, false))
	topic.ConfigEntries = map[string]*string{"max.message.bytes": new("12582912")}
	scenario.Must(admin.CreateTopic("sarama-large", topic, false))
	message := scenario.Noise(10 << 20)
	config := quick()
	config.Producer.MaxMessageBytes = 12 << 20
	config.Consumer.Fetch.Default = 16 << 20
	producer := scenario.Got(sarama.NewSyncProducer([]string{bootstrap}, config))
	send := func(topic string) error {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic,
			Value: sarama.ByteEncoder(message)})
		return err
	}
	scenario.Must(send("sarama-large"))
	scenario.Must(send("sarama-large"))
	scenario.Refused(sarama.ErrMessageSizeTooLarge, send("sarama-small"))
	scenario.Must(producer.Close())
	got := read(ctx, bootstrap, "sarama-large", config, sarama.OffsetOldest, upTo(1))
	scenario.Same(2, len(got))
	for i, m := range got {
		scenario.Same(int64(i), m.Offset)
		scenario.That(bytes.Equal(message, m.Value), "the message as it was")
	}
}

// Restarts has a producer and a consumer live through kills of the broker. Sarama's producer is
// not idempotent unless told so: what is acknowledged is there at least once.
func Restarts(bootstrap, topic string, rounds int) {
	name := "what was acknowledged is there"
	scenario.StepWithin(scenario.LimitLong, name, func(ctx context.Context) {
		config := quick()
		config.ChannelBufferSize = 16 // few are held back by the client
		producer := scenario.Got(sarama.NewAsyncProducer([]string{bootstrap}, config))
		var acked atomic.Int64
		var acks sync.WaitGroup
		acks.Go(func() {
			for range producer.Successes() {
				acked.Add(1)
			}
		})
		acks.Go(func() {
			for failure := range producer.Errors() {
				panic(failure)
			}
		})
		send := func(value string) {
			producer.Input() <- &sarama.ProducerMessage{Topic: topic,
				Value: sarama.StringEncoder(value)}
		}
		seen := map[string]bool{}
		reading := readAside(ctx, bootstrap, topic, seen)
		over := scenario.Restarts(ctx, rounds, &acked)
		count := 0
		for ; over.Err() == nil; count++ {
			send(strconv.Itoa(count))
		}
		scenario.Until(ctx, int64(count), func() any { return acked.Load() })
		send(last)
		scenario.Must(producer.Close())
		acks.Wait()
		scenario.Same(nil, <-reading)
		for i := range count {
			scenario.That(seen[strconv.Itoa(i)], fmt.Sprintf("%d is there", i))
		}
		scenario.Same(count+1, len(seen))
	})
}

const last = "the last"

// readAside reads to the last, while others go on, and sees that no offset comes twice or is left
// out. What it panicked with comes out of the channel.
func readAside(ctx context.Context, bootstrap, topic string, seen map[string]bool) <-chan any {
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		all := read(ctx, bootstrap, topic, quick(), sarama.OffsetOldest,
			func(m *sarama.ConsumerMessage) bool { return string(m.Value) == last })
		for i, m := range all {
			scenario.Same(int64(i), m.Offset)
			seen[string(m.Value)] = true
		}
	}()
	return done
}
