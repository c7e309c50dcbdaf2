// SPDX-License-Identifier: Apache-2.0

package orders

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// broker is a Klamm for tests: in memory, on a free port, gone with this process.
type broker struct {
	bootstrap string
	pages     string
	stdin     io.Closer
	command   *exec.Cmd
}

// shared serves all tests of the package: let each use topics and groups of its own.
var shared *broker

func TestMain(m *testing.M) {
	var err error
	if shared, err = startBroker(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	shared.stop()
	os.Exit(status)
}

func startBroker() (*broker, error) {
	program := os.Getenv("KLAMM") // where it is, when it is not in the PATH
	if program == "" {
		program = "klamm"
	}
	command := exec.Command(program, "serve", "--ephemeral", "--until-stdin-ends",
		"--set", "klamm.log.level=WARN",
		"--set", "log.retention.hours=24") // any key of server.properties
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err = command.Start(); err != nil {
		return nil, err
	}
	b := &broker{stdin: stdin, command: command}
	lines := bufio.NewReader(stdout)
	for _, line := range []*string{&b.bootstrap, &b.pages} {
		text, err := lines.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("%s did not start: %w", program, err)
		}
		*line = strings.TrimSpace(text)
	}
	return b, nil
}

// advance lets time pass for the broker, at once.
func (b *broker) advance(time time.Duration) error {
	url := fmt.Sprintf("%s/clock/advance?ms=%d", b.pages, time.Milliseconds())
	answer, err := http.Post(url, "", nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP status %s", answer.Status)
	}
	return nil
}

func (b *broker) stop() {
	b.stdin.Close()
	b.command.Wait()
}
