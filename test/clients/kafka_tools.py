# SPDX-License-Identifier: Apache-2.0
"""Kafka's command line for tests: many tools in one process (java/Tools.java), and the two that
need their own."""

import json
import subprocess
import threading
import time

LIMIT_S = 120


class ToolProcess:
    """Runs one tool after another. A tool that takes too long ends the process, and the test."""

    def __init__(self, java):
        self.process = subprocess.Popen([*java.command, "Tools"], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def run(self, main, args, given):
        watchdog = threading.Timer(LIMIT_S, self.process.kill)
        watchdog.start()
        try:
            request = {"main": main, "args": list(map(str, args)), "given": given}
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, f"{main} {args} ended the process or did not end"
        answer = json.loads(line)
        return answer["code"], answer["out"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(LIMIT_S)


class Tools:
    """The tools, for one broker."""

    def __init__(self, process, bootstrap):
        self.process = process
        self.bootstrap = bootstrap

    def call(self, name, *args, given="", code=0):
        """What the tool prints. Most tools end with 1 when they fail."""
        ended, out = self.process.run(name, args, given)
        assert ended == code, out
        return out

    def run(self, name, *args, **more):
        return self.call(name, *args, "--bootstrap-server", self.bootstrap, **more)

    def table(self, *args):
        """The rows of kafka-consumer-groups --describe, by the names in its head."""
        said = self.run(*args)
        lines = [line.split() for line in said.splitlines() if line.strip()]
        at = next((i for i, line in enumerate(lines) if line[0] == "GROUP"), None)
        assert at is not None, said
        return [dict(zip(lines[at], line)) for line in lines[at + 1:]]


class Verifiable:
    """kafka-verifiable-producer or -consumer, which prints JSON, a line for each thing it does."""

    def __init__(self, java, kind, bootstrap, *args):
        self.lines = []
        self.process = subprocess.Popen(
            [*java.command, f"org.apache.kafka.tools.Verifiable{kind}",
             "--bootstrap-server", bootstrap, *map(str, args)],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def events(self, name):
        objects = (json.loads(line) for line in list(self.lines) if line.startswith("{"))
        return [o for o in objects if o.get("name") == name]

    def until(self, claim):
        deadline = time.monotonic() + LIMIT_S
        while not claim():
            assert time.monotonic() < deadline, "".join(self.lines)
            time.sleep(0.02)

    def terminate(self):
        self.process.terminate()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.reader.join()
