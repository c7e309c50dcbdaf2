# SPDX-License-Identifier: Apache-2.0
"""A real Klamm broker process for tests: own directory, free ports, stopped by its pid.

    with KlammServer(binary) as klamm:
        use(klamm.bootstrap)

`kill` is kill -9, `start` starts it again on the same directory and port, `stop` is SIGTERM and
expects exit status 0.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

from sharing import HeldPort

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_LIMIT_S = 60


class KlammError(Exception):
    pass


class KlammServer:
    def __init__(self, binary, directory=None, env=None, **settings):
        self.binary = str(binary)
        self.own_directory = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="klamm-test-"))
        self.settings = settings  # a.b.c=x as a__b__c="x" or through set()
        self.extra = {}
        self.env = env
        self.start_limit_s = START_LIMIT_S
        self.process = None
        self.held_port = HeldPort()
        self.port = self.held_port.number
        self.admin_port = None
        self.lines = []
        self._ready = threading.Event()

    def set(self, key, value):
        self.extra[key] = value
        return self

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    @property
    def data(self):
        return self.directory / "data"

    def command(self):
        keys = {"listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "log.dirs": str(self.data)}
        keys.update({k.replace("__", "."): str(v) for k, v in self.settings.items()})
        keys.update(self.extra)
        words = [self.binary, "serve"]
        for key, value in keys.items():
            words += ["--set", f"{key}={value}"]
        return words

    def start(self):
        self.spawn()
        self.wait_until_ready()
        return self

    def spawn(self):
        """Starts it and does not wait."""
        assert self.process is None
        self._ready.clear()
        environment = dict(os.environ)
        environment.update(self.env or {})
        self.process = subprocess.Popen(self.command(), stderr=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, env=environment)
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def wait_until_ready(self):
        self._wait(self._ready.is_set, "ready")

    def wait_for_lines(self, count):
        """Until it has said so many lines, of all its lives."""
        self._wait(lambda: len(self.lines) >= count, f"at line {count}")

    def _wait(self, is_there, what):
        deadline = time.monotonic() + self.start_limit_s
        while not is_there():
            if self.process.poll() is not None:
                raise KlammError(f"exit {self._ended()}:\n{self.stderr}")
            if time.monotonic() > deadline:
                self.kill()
                raise KlammError(f"not {what} after {self.start_limit_s} s:\n{self.stderr}")
            self._ready.wait(0.002)

    def _read(self, process):
        for raw in process.stderr:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            self.lines.append(line)
            match = re.search(r"ready on \w+://[^ ]*?:(\d+)[ ,]", line)
            if match:
                self.port = int(match.group(1))
                self._ready.set()
            match = re.search(r"metrics on http://[^ ]*?:(\d+)", line)
            if match:
                self.admin_port = int(match.group(1))

    @property
    def stderr(self):
        return "\n".join(self.lines)

    def kill(self):
        """kill -9: what is not on disk is gone from the process, not from the page cache."""
        self.process.send_signal(signal.SIGKILL)
        self._ended()

    def stop(self, limit_s=30):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self._ended()
            raise KlammError(f"did not stop within {limit_s} s:\n{self.stderr}") from None
        code = self._ended()
        if code != 0:
            raise KlammError(f"exit {code} after SIGTERM:\n{self.stderr}")

    def _ended(self):
        code = self.process.wait()
        self._reader.join()
        self.process = None
        return code

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def page(self, path):
        url = f"http://127.0.0.1:{self.admin_port}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()

    def metric(self, name):
        """The sum over all labels of one metric."""
        values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", self.page("/metrics"), re.M)
        return sum(float(v) for v in values)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        if self.is_running():
            if exception[0] is None:
                self.stop()
            else:
                self.kill()
        if self.own_directory and exception[0] is None:
            shutil.rmtree(self.directory, ignore_errors=True)
