// SPDX-License-Identifier: Apache-2.0

package withfranz

import (
	"context"
	"fmt"
	"io"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"klamm/test/clients/golang/scenario"
)

const (
	tortureInFlight = 1000
	tortureBetween  = 200
)

type torturer struct {
	bootstrap string
	name      string
	all       []*tortured
	over      context.Context
}

type tortured struct {
	topic     string
	partition int32
	sent      int
	acked     atomic.Int64
}

func (p *tortured) tell(word string, count int64) {
	scenario.Print(fmt.Sprintf("%s %s %d %d", word, p.topic, p.partition, count))
}

// Torture is one client of test_torture.py: what it does and says is told in torture_worker.py.
func Torture(bootstrap, name string, topics []string) {
	over, end := context.WithCancel(context.Background())
	t := torturer{bootstrap: bootstrap, name: name, over: over}
	for _, topic := range topics {
		words := strings.Split(topic, ":")
		for p := range scenario.Got(strconv.Atoi(words[1])) {
			t.all = append(t.all, &tortured{topic: words[0], partition: int32(p)})
		}
	}
	go func() {
		scenario.Got(io.Copy(io.Discard, os.Stdin))
		end()
	}()
	var reading sync.WaitGroup
	reading.Add(1)
	go func() {
		defer reading.Done()
		t.consume()
	}()
	t.produce()
	reading.Wait()
}

func (t *torturer) produce() {
	producer := client(t.bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(tortureInFlight), kgo.ProducerLinger(0))
	defer producer.Close()
	for i := 0; t.over.Err() == nil; i++ {
		p := t.all[i%len(t.all)]
		value := t.name + " " + strconv.Itoa(p.sent) + strings.Repeat(" ", rand.Intn(300))
		p.sent++
		producer.Produce(context.Background(),
			&kgo.Record{Topic: p.topic, Partition: p.partition, Value: []byte(value)},
			func(_ *kgo.Record, err error) {
				scenario.Must(err)
				p.acked.Add(1)
			})
		if i%tortureBetween == 0 {
			for _, p := range t.all {
				p.tell("acked", p.acked.Load())
			}
		}
	}
	scenario.Must(producer.Flush(context.Background()))
	for _, p := range t.all {
		p.tell("sent", int64(p.sent))
	}
}

func (t *torturer) consume() {
	consumer := client(t.bootstrap, kgo.ConsumerGroup(t.name), kgo.ConsumeTopics(t.all[0].topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(200*time.Millisecond))
	defer consumer.Close()
	for t.over.Err() == nil {
		records := consumer.PollRecords(t.over, 1000).Records()
		if len(records) == 0 || consumer.CommitRecords(t.over, records...) != nil {
			continue // after a kill nothing was promised
		}
		at := map[int32]int64{}
		for _, r := range records {
			at[r.Partition] = r.Offset + 1
		}
		for partition, offset := range at {
			scenario.Print(fmt.Sprintf("committed %d %d", partition, offset))
		}
	}
}
