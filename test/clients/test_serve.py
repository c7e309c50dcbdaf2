# SPDX-License-Identifier: Apache-2.0
"""`klamm serve` as an operator meets it: what stops a start, signals, logs, health, the binary itself."""

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from klamm import KlammError, KlammServer


def refusal(binary, *words, env=None):
    """Exit status 1 (or 2 for wrong words) and exactly one line."""
    result = subprocess.run([binary, "serve", *words], capture_output=True, text=True, timeout=30,
                            check=False, env={**os.environ, **(env or {})})
    assert result.returncode == 1, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("klamm: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_needs_only_glibc(binary):
    needed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    names = {line.split()[0].split("/")[-1].split(".so")[0] for line in needed.splitlines()}
    assert names <= {"linux-vdso", "libc", "libm", "ld-linux-x86-64", "ld-linux-aarch64"}, needed


def test_unknown_key_names_the_nearest(binary, tmp_path):
    line = refusal(binary, "--set", f"log.dirs={tmp_path}", "--set", "log.retention.hour=1")
    assert "log.retention.hour" in line and "log.retention.hours" in line


def test_unknown_key_in_a_file(binary, tmp_path):
    path = tmp_path / "server.properties"
    path.write_text("node.id=1\nlisteners=PLAINTEXT://127.0.0.1:0\nnum.partition=3\n")
    line = refusal(binary, str(path))
    assert "num.partition" in line and "num.partitions" in line and "3" in line


@pytest.mark.parametrize("setting", [
    "sasl.enabled.mechanisms=PLAIN", "ssl.keystore.location=/x", "super.users=User:a",
    "authorizer.class.name=kafka.X", "security.inter.broker.protocol=SSL",
    "listeners=SSL://127.0.0.1:0", "listener.security.protocol.map=PLAINTEXT:SASL_SSL"])
def test_security_keys_stop_the_start(binary, tmp_path, setting):
    line = refusal(binary, "--set", f"log.dirs={tmp_path}", "--set", setting)
    assert setting.split("=")[0].split(".")[0] in line


def test_missing_file_and_bad_value(binary, tmp_path):
    assert "nothere" in refusal(binary, str(tmp_path / "nothere"))
    assert "num.partitions" in refusal(binary, "--set", "num.partitions=many")


def test_environment(binary, tmp_path):
    assert "KLAMM_NODE_IDD" in refusal(binary, env={"KLAMM_NODE_IDD": "1"})
    with KlammServer(binary, env={"KLAMM_NODE_ID": "7"}) as klamm:
        assert any("node 7" in line for line in klamm.lines)


def test_directory_in_use(server):
    first = server().start()
    second = server()
    second.set("log.dirs", first.data)
    with pytest.raises(KlammError, match="another process|in use"):
        second.start()


def test_taken_port(server):
    first = server().start()
    second = server()
    second.port = first.port
    with pytest.raises(KlammError, match=rf"{first.port}.*another process has this port"):
        second.start()


def test_directory_of_another_cluster_and_node(server, tmp_path):
    one, other = server().start(), server().start()
    one.stop()
    other.stop()
    both = server()
    both.set("log.dirs", f"{one.data},{other.data}")
    with pytest.raises(KlammError, match="belongs to cluster"):
        both.start()
    one.set("node.id", 9)
    with pytest.raises(KlammError, match="belongs to node 1"):
        one.start()


def test_identity_is_kept(server):
    klamm = server().start()
    identity = [line for line in klamm.lines if "ready on" in line][0].split("(")[1]
    properties = (klamm.data / "meta.properties").read_text()
    klamm.stop()
    klamm.start()
    assert identity in klamm.lines[-1] or any(identity in line for line in klamm.lines[-5:])
    assert (klamm.data / "meta.properties").read_text() == properties
    assert re.search(r"cluster\.id=[\w-]{22}\n", properties)


def test_sigterm_stops_cleanly(klamm):
    """Open connections do not hold it up. A test does not depend on speed, so no second is counted."""
    connections = [socket.create_connection(("127.0.0.1", klamm.port)) for _ in range(20)]
    klamm.stop(limit_s=30)
    assert (klamm.data / ".kafka_cleanshutdown").exists()
    for connection in connections:
        connection.close()


def test_sighup_opens_the_log_anew(server, tmp_path):
    log = tmp_path / "klamm.log"
    klamm = server(klamm__log__file=log).start()
    assert "new log directory" in log.read_text()
    old = tmp_path / "klamm.log.1"
    log.rename(old)
    klamm.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 20
    while not (log.exists() and "opened anew" in log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    klamm.stop()
    assert "stopped" in log.read_text()


def test_log_levels(server, tmp_path):
    quiet = server(klamm__log__level="error").start()
    quiet.stop()
    assert [line for line in quiet.lines if " INFO " in line] == []


def test_health_pages(klamm):
    assert klamm.page("/healthz") == "ok\n"
    assert klamm.page("/readyz") == "ready\n"
    page = klamm.page("/metrics")
    assert "klamm_build_info{version=" in page
    for line in page.splitlines():
        assert line.startswith("#") or re.fullmatch(
            r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? \S+', line), line
    with pytest.raises(urllib.error.HTTPError):
        klamm.page("/nothing")


def test_help(binary):
    text = subprocess.run([binary, "serve", "--help"], capture_output=True, text=True,
                          check=True).stdout
    for key in ("listeners", "log.dirs", "num.partitions", "klamm.ack", "klamm.admin.listener"):
        assert key in text
    assert "serve" in subprocess.run([binary, "--help"], capture_output=True, text=True,
                                     check=True).stdout
    assert subprocess.run([binary, "nonsense"], capture_output=True, check=False).returncode == 2


def test_a_failed_start_leaves_no_damage(server):
    klamm = server().start()
    klamm.stop()
    klamm.set("no.such.key", 1)
    with pytest.raises(KlammError):
        klamm.start()
    del klamm.extra["no.such.key"]
    klamm.start()
    klamm.stop()


def test_a_chosen_node_id_is_shown(klamm):
    admin = AdminClient({"bootstrap.servers": klamm.bootstrap})
    resource = ConfigResource(ConfigResource.Type.BROKER, "1")
    assert admin.describe_configs([resource])[resource].result(30)["node.id"].value == "1"


def test_offsets_of_partitions_are_on_the_metrics_page(klamm):
    admin = AdminClient({"bootstrap.servers": klamm.bootstrap})
    for topic in ("shown", "shown.too"):
        admin.create_topics([NewTopic(topic, 2, config={"klamm.ack": "cache"})])[topic].result(30)
    producer = Producer({"bootstrap.servers": klamm.bootstrap})
    for _ in range(3):
        producer.produce("shown", b"v", partition=1)
    assert producer.flush(30) == 0

    def rows(page):
        return dict(re.findall(r'^klamm_partition_(\w+)\{topic="shown",partition="1"\} (\S+)$', page, re.M))
    page = klamm.page("/metrics")
    size = rows(page).pop("log_size_bytes")
    assert int(size) > 0
    assert rows(page) == {
        "log_start_offset": "0", "high_watermark": "3", "written_offset": "3", "durable_offset": "0",
        "assigned_offset": "3", "recovery_point": "0", "log_size_bytes": size, "leader_epoch": "0"}
    assert "\nklamm_partitions_unsynced 1\n" in page and "\nklamm_partition_rows_left_out 0\n" in page

    of_one = klamm.page("/metrics?topic=shown")
    assert rows(of_one) == rows(page) and "shown.too" in page
    assert set(re.findall(r'topic="([^"]*)"', of_one)) == {"shown"}
    for name in ("klamm_partitions", "klamm_log_segments", "klamm_partitions_at_min_isr"):
        assert re.findall(rf"^{name} .*$", of_one, re.M) == re.findall(rf"^{name} .*$", page, re.M)
