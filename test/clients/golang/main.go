// SPDX-License-Identifier: Apache-2.0

// The client libraries of Go, for the tests beside this folder:
//
//	golang FAMILY member JSON            a member of a group, as group_worker.py
//	golang FAMILY produce BOOTSTRAP TOPIC CODEC   records of standard input, a line each:
//	                                     partition, timestamp (-1: now), value
//	golang FAMILY admin BOOTSTRAP        steps, a line of output each (scenario.Step)
//	golang FAMILY records BOOTSTRAP
//	golang FAMILY restarts BOOTSTRAP TOPIC ROUNDS
//	golang FAMILY torture BOOTSTRAP NAME TOPIC:PARTITIONS ...   as torture_worker.py (franz-go only)
package main

import (
	"fmt"
	"os"
	"strconv"

	"klamm/test/clients/golang/scenario"
	"klamm/test/clients/golang/withfranz"
	"klamm/test/clients/golang/withsarama"
)

type family struct {
	member   func(scenario.Member)
	produce  func(bootstrap, topic, codec string, rows []scenario.Row)
	admin    func(bootstrap string)
	records  func(bootstrap string)
	restarts func(bootstrap, topic string, rounds int)
	torture  func(bootstrap, name string, topics []string)
}

var families = map[string]family{
	"franz-go": {withfranz.Member, withfranz.Produce, withfranz.Admin, withfranz.Records,
		withfranz.Restarts, withfranz.Torture},
	"sarama": {withsarama.Member, withsarama.Produce, withsarama.Admin, withsarama.Records,
		withsarama.Restarts, nil},
}

func main() {
	f, known := families[os.Args[1]]
	if !known {
		fmt.Fprintln(os.Stderr, "no such family:", os.Args[1])
		os.Exit(2)
	}
	args := os.Args[3:]
	switch os.Args[2] {
	case "member":
		f.member(scenario.ReadMember(args[0]))
	case "produce":
		f.produce(args[0], args[1], args[2], scenario.ReadRows(os.Stdin))
	case "admin":
		f.admin(args[0])
	case "records":
		f.records(args[0])
	case "restarts":
		rounds, err := strconv.Atoi(args[2])
		scenario.Must(err)
		f.restarts(args[0], args[1], rounds)
	case "torture":
		f.torture(args[0], args[1], args[2:])
	default:
		fmt.Fprintln(os.Stderr, "no such command:", os.Args[2])
		os.Exit(2)
	}
}
