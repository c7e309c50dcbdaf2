// SPDX-License-Identifier: Apache-2.0

// Package scenario is what the programs of both families share: named steps, a line each, and
// what a member of a group is told and says.
package scenario

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// How long one step may take, and one with restarts of the broker.
const (
	Limit     = 60 * time.Second
	LimitLong = 280 * time.Second
)

var (
	output sync.Mutex
	input  = bufio.NewReader(os.Stdin)
)

// Print writes a line at once.
func Print(line string) {
	output.Lock()
	defer output.Unlock()
	fmt.Println(line)
}

// Step runs a body that panics when something is not as it should be. Prints `ok NAME` or
// `failed NAME: why`.
func Step(name string, body func(ctx context.Context)) {
	StepWithin(Limit, name, body)
}

// StepWithin is a step with a limit of its own.
func StepWithin(limit time.Duration, name string, body func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	defer func() {
		if why := recover(); why != nil {
			words := strings.ReplaceAll(fmt.Sprint(why), "\n", "; ")
			Print(fmt.Sprintf("failed %s: %s", name, words))
			Print(string(debug.Stack()))
		} else {
			Print("ok " + name)
		}
	}()
	body(ctx)
}

// Ask has the test do something to the broker, and waits until it is done.
func Ask(word string) {
	Print("do " + word)
	_, err := input.ReadString('\n')
	Must(err)
}

// Restarts asks for restarts of the broker, each after a thousand more acknowledgements; the
// context is cancelled when all is done, and a thousand more have come.
func Restarts(ctx context.Context, rounds int, acked *atomic.Int64) context.Context {
	over, cancel := context.WithCancel(ctx)
	go func() {
		for round := 0; ; round++ {
			for start := acked.Load(); acked.Load() < start+1000; time.Sleep(time.Millisecond) {
				if ctx.Err() != nil {
					return
				}
			}
			if round == rounds {
				break
			}
			Ask("restart")
		}
		cancel()
	}()
	return over
}

// Must panics with an error.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}

// Got is the result of a call that must not fail.
func Got[T any](result T, err error) T {
	Must(err)
	return result
}

// Same panics unless both are equal.
func Same(wanted, got any) {
	if !reflect.DeepEqual(wanted, got) {
		panic(fmt.Sprintf("wanted %v (%T), got %v (%T)", wanted, wanted, got, got))
	}
}

// That panics unless the claim is true.
func That(claim bool, what string) {
	if !claim {
		panic(what)
	}
}

// Refused panics unless the error is the one that is wanted.
func Refused(wanted, got error) {
	if !errors.Is(got, wanted) {
		panic(fmt.Sprintf("wanted %v, got %v", wanted, got))
	}
}

// Until asks again until the answer is as wanted: Kafka's broker may know something later than
// its controller.
func Until(ctx context.Context, wanted any, ask func() any) {
	for got := ask(); !reflect.DeepEqual(wanted, got); got = ask() {
		if ctx.Err() != nil {
			panic(fmt.Sprintf("wanted %v, got %v", wanted, got))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Noise is what no codec makes smaller.
func Noise(size int) []byte {
	bytes := make([]byte, size)
	Got(rand.Read(bytes))
	return bytes
}

// Row is a record to produce; At is in ms; -1: the time at which it is sent.
type Row struct {
	Partition int32
	At        int64
	Value     string
}

// ReadRows reads lines of partition, time and value.
func ReadRows(from io.Reader) []Row {
	var rows []Row
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		words := strings.SplitN(lines.Text(), " ", 3)
		rows = append(rows, Row{int32(Got(strconv.Atoi(words[0]))),
			Got(strconv.ParseInt(words[1], 10, 64)), words[2]})
	}
	Must(lines.Err())
	return rows
}

// Member is what a member of a group is told.
type Member struct {
	Bootstrap string  `json:"bootstrap"`
	Topic     string  `json:"topic"`
	Group     string  `json:"group"`
	Instance  *string `json:"instance"`
	SessionMs int     `json:"session_ms"`
}

// ReadMember reads it from JSON.
func ReadMember(text string) Member {
	var told Member
	Must(json.Unmarshal([]byte(text), &told))
	return told
}

// Session is the session's time.
func (m Member) Session() time.Duration {
	return time.Duration(m.SessionMs) * time.Millisecond
}

// Heartbeat is how often it shows that it is alive, and learns that others have come or gone.
func (m Member) Heartbeat() time.Duration {
	return min(m.Session()/10, 500*time.Millisecond)
}

// UntilLeave is cancelled when standard input says or is at its end.
func UntilLeave() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = input.ReadString('\n')
		cancel()
	}()
	return ctx
}

// SayAssigned tells of all that the member has now.
func SayAssigned(partitions []int32) {
	say(map[string]any{"assigned": append([]int32{}, partitions...)})
}

// SayRefused tells of a commit that was refused.
func SayRefused(err error) {
	say(map[string]any{"refused": err.Error()})
}

// Seen is a record that was read: partition, offset, value.
type Seen [3]any

// SayRecords tells of records that are committed.
func SayRecords(records []Seen) {
	say(map[string]any{"records": records})
}

func say(event any) {
	Print(string(Got(json.Marshal(event))))
}
