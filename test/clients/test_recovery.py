# SPDX-License-Identifier: Apache-2.0
"""Damaged data directories: the broker comes up, what is damaged is told with file and position, and is offline or
mended as docs/formats.md says; all else serves.

A topic for each kind of damage, all at once: done to what a clean stop left, then to what kill -9 left.
"""

import functools
import re
import struct

import pytest

import batch as b
from confluent import create
from wire import Wire

OK, CORRUPT_MESSAGE, STORAGE_ERROR = 0, 2, 56
MAGIC = 16
FIRST_COUNT, MORE_COUNT = 60, 10
SEGMENT = "00000000000000000000"
CHECKPOINTS = ["recovery-point-offset-checkpoint", "log-start-offset-checkpoint",
               "replication-offset-checkpoint"]


VALUE_BYTES = 500


def value(number):
    return b"%04d" % number + bytes(VALUE_BYTES - 4)


@functools.cache
def batch_of(number):
    return b.batch(b.record(value=value(number)))


def put(wire, topic, numbers):
    """A batch for each; the last error code."""
    code = None
    for number in numbers:
        answer = wire.ask("Produce", 9, Acks=-1, TimeoutMs=30000, TopicData=[
            {"Name": topic, "PartitionData": [
                {"Index": 0, "Records": batch_of(number)}]}])
        code = answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"]
    return code


def fetch(wire, topic, offset, checks=True):
    """The error code, and of the whole batches the base offset, whether the checksum fits, the value."""
    answer = wire.ask("Fetch", 11, ReplicaId=-1, MaxWaitMs=0, MinBytes=0, MaxBytes=1 << 20,
                      IsolationLevel=0, SessionId=0, SessionEpoch=-1, Topics=[
                          {"Topic": topic, "Partitions": [
                              {"Partition": 0, "FetchOffset": offset, "LogStartOffset": -1,
                               "PartitionMaxBytes": 1 << 20, "CurrentLeaderEpoch": -1}]}])
    row = answer["Responses"][0]["Partitions"][0]
    data, found, pos = row["Records"] or b"", [], 0
    while pos + b.HEADER_BYTES <= len(data):
        base, length, crc = struct.unpack_from(">qi5xI", data, pos)
        end = pos + 12 + length
        if end > len(data):
            break
        fits = not checks or b.crc32c(data[pos + b.ATTRIBUTES_POS:end]) == crc
        found.append((base, fits, data[end - 1 - VALUE_BYTES:end - 1]))  # the last byte: no headers
        pos = end
    return row["ErrorCode"], found


def values(wire, topic):
    """All of them, from offset 0 on, one a batch; librdkafka's checks are tested elsewhere."""
    all_values = []
    while True:
        code, found = fetch(wire, topic, len(all_values), checks=False)
        assert code == OK, (topic, code)
        if not found:
            return all_values
        assert [base for base, _, _ in found] == \
            list(range(len(all_values), len(all_values) + len(found))), topic
        all_values += [v for _, _, v in found]


def end_code(wire, topic):
    answer = wire.ask("ListOffsets", 5, ReplicaId=-1, IsolationLevel=0, Topics=[
        {"Name": topic, "Partitions": [
            {"PartitionIndex": 0, "CurrentLeaderEpoch": -1, "Timestamp": -1}]}])
    return answer["Topics"][0]["Partitions"][0]["ErrorCode"]


class Files:
    """Of one partition."""

    def __init__(self, klamm, topic):
        self.path = klamm.data / f"{topic}-0"

    def logs(self):
        return sorted(self.path.glob("*.log"))

    @staticmethod
    def batches(log):
        """Positions."""
        data, found, pos = log.read_bytes(), [], 0
        while pos + b.HEADER_BYTES <= len(data):
            length, = struct.unpack_from(">i", data, pos + 8)
            if length == 0:
                break
            found.append(pos)
            pos += 12 + length
        return found

    @staticmethod
    def flip(path, pos):
        data = bytearray(path.read_bytes())
        data[pos] ^= 0x40
        path.write_bytes(data)


def body_flipped(f):
    """The offset of the batch whose record is not what it was."""
    log = f.logs()[0]
    f.flip(log, f.batches(log)[3] + 300)
    return 3


def middle_flipped(f):
    log = f.logs()[0]
    f.flip(log, f.batches(log)[3] + MAGIC)
    return 3


# ---- what is done, and how it has to end: the function returns what a line of the log has to say; None: nothing

ALL_THERE, OFFLINE = "all there", "offline"


def nothing(f):
    return ALL_THERE, None


def index_gone(f):
    (f.path / f"{SEGMENT}.index").unlink()
    return ALL_THERE, None


def index_of_zeros(f):
    (f.path / f"{SEGMENT}.index").write_bytes(bytes(4096))
    (f.path / f"{SEGMENT}.timeindex").write_bytes(bytes(4092))
    return ALL_THERE, None


def index_of_noise(f):
    (f.path / f"{SEGMENT}.index").write_bytes(b"\xff\x13" * 500)
    return ALL_THERE, None


def snapshot_of_noise(f):
    for path in f.path.glob("*.snapshot"):
        path.write_bytes(b"noise" * 20)
    return ALL_THERE, None


def epochs_of_noise(f):
    (f.path / "leader-epoch-checkpoint").write_bytes(b"\0noise\n\xff")
    return ALL_THERE, None


def foreign_names(f):
    for name in ("notes.txt", f"{SEGMENT}.log.bak", "7.log", "-1.log", "0000000000000000000x.log",
                 f"{SEGMENT}.swap", "core", "\udcff\udcfe.log"):
        (f.path / name).write_bytes(b"not ours")
    (f.path / "sub").mkdir()
    (f.path / "sub" / f"{SEGMENT}.log").write_bytes(b"not ours")
    return ALL_THERE, None


def head_flipped(f):
    log = f.logs()[-1]
    pos = f.batches(log)[-1]
    f.flip(log, pos + MAGIC)
    return OFFLINE, rf"{log.name}: bad batch at {pos}, after a clean stop"


def end_lost(f):
    log = f.logs()[0]
    pos = f.batches(log)[-2]
    with open(log, "r+b") as file:
        file.truncate(pos)
    return OFFLINE, rf"{log.name} ends at position {pos} before offset \d+"


def end_torn(f):
    log = f.logs()[1]
    pos = f.batches(log)[-1]
    with open(log, "r+b") as file:
        file.truncate(pos + 100)
    return OFFLINE, rf"{log.name}: bad batch at {pos}, below the recovery point"


def log_between(f):
    (f.path / "00000000000000000007.log").write_bytes(b"")
    return OFFLINE, rf"{SEGMENT}.log goes up to offset \d+, the next segment begins with 7"


def noise_between(f):
    (f.path / "00000000000000000007.log").write_bytes(b"noise" * 100)
    return OFFLINE, rf"{SEGMENT}.log goes up to offset \d+, the next segment begins with 7"


def metadata_of_noise(f):
    (f.path / "partition.metadata").write_bytes(b"noise\n\0\xff")
    return OFFLINE, "partition.metadata cannot be read"


def another_id(f):
    (f.path / "partition.metadata").write_bytes(b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n")
    return 0, "is of another topic by that name: renamed to -stray"


def log_is_a_directory(f):
    log = f.logs()[0]
    log.unlink()
    log.mkdir()
    return OFFLINE, "offline"


AFTER_STOP = [nothing, index_gone, index_of_zeros, index_of_noise, snapshot_of_noise,
              epochs_of_noise, foreign_names, head_flipped, end_lost, end_torn, log_between,
              noise_between, metadata_of_noise, another_id]


def torn(f):
    log = f.logs()[-1]
    with open(log, "ab") as file:
        file.write(log.read_bytes()[:200])
    return ALL_THERE, rf"{log.name}: torn batch at \d+, 200 bytes cut"


def zeros_behind(f):
    with open(f.logs()[-1], "ab") as file:
        file.write(bytes(10000))
    return ALL_THERE, None


def rotten(f):
    """A batch that was never checkpointed as synced; good ones lie behind it. What is cut is kept."""
    log = f.logs()[-1]
    pos = f.batches(log)[-2]
    f.flip(log, pos + 100)
    return FIRST_COUNT + MORE_COUNT - 2, rf"{log.stem}\.log: rot at {pos}"


def lost_in_recovery(f):
    """Below the recovery point, in the segment that is scanned."""
    logs = [log for log in f.logs() if int(log.stem) < FIRST_COUNT]
    pos = f.batches(logs[-1])[0]
    f.flip(logs[-1], pos + MAGIC)
    return OFFLINE, rf"{logs[-1].name}: bad batch at {pos}, below the recovery point"


def last_log_gone(f):
    """What was never checkpointed as synced is gone with it, and nothing else."""
    log = f.logs()[-1]
    log.unlink()
    return int(log.stem), None


AFTER_KILL = [nothing, index_gone, index_of_zeros, snapshot_of_noise, epochs_of_noise,
              foreign_names, torn, zeros_behind, rotten, lost_in_recovery, end_lost]


def name_of(damage):
    return damage.__name__.replace("_", "-")


def check(klamm, lines, damages, count):
    """`damages`: what each function returned, by topic."""
    with Wire(klamm.bootstrap) as wire:
        for topic, (outcome, pattern) in damages.items():
            said = [line for line in lines if f"{topic}-0" in line]
            if pattern is not None:
                assert any(re.search(pattern, line) for line in said), (topic, pattern, lines)
            else:
                assert not any("offline" in line or "cut" in line for line in said), said
            if outcome == OFFLINE:
                assert any(" is offline: " in line for line in said), (topic, lines)
                assert fetch(wire, topic, 0)[0] == STORAGE_ERROR, topic
                assert put(wire, topic, [0]) == STORAGE_ERROR, topic
                assert end_code(wire, topic) == STORAGE_ERROR, topic
                continue
            wanted = count if outcome == ALL_THERE else outcome
            assert values(wire, topic) == [value(n) for n in range(wanted)], topic
            assert put(wire, topic, [wanted]) == OK, topic
            assert values(wire, topic)[-1] == value(wanted)
    offline = sum(outcome == OFFLINE for outcome, _ in damages.values())
    assert klamm.metric("klamm_partitions_offline") == offline


def fill(klamm, damages):
    with Wire(klamm.bootstrap) as wire:
        for damage in damages:
            create(klamm, name_of(damage), internal__segment__bytes=10000, index__interval__bytes=2000)
            assert put(wire, name_of(damage), range(FIRST_COUNT)) == OK


@pytest.fixture
def broker_of(server):
    def make(**settings):
        return server(klamm__admin__listener="127.0.0.1:0", **settings).start()
    return make


def test_damage_after_a_clean_stop(broker_of):
    klamm = broker_of()
    fill(klamm, AFTER_STOP)
    klamm.stop()
    done = {name_of(damage): damage(Files(klamm, name_of(damage))) for damage in AFTER_STOP}
    for name in CHECKPOINTS:
        (klamm.data / name).write_bytes(b"\xff\0noise\n1 2 3")
    before = len(klamm.lines)
    klamm.start()
    check(klamm, klamm.lines[before:], done, FIRST_COUNT)
    stray, = klamm.data.glob("another-id-0.*-stray")
    assert sum(log.stat().st_size for log in stray.glob("*.log")) > 0
    for name in CHECKPOINTS:
        assert any(name in line for line in klamm.lines[before:]), name
    foreign = Files(klamm, name_of(foreign_names)).path
    assert (foreign / "notes.txt").read_bytes() == b"not ours" and (foreign / "sub").is_dir()
    klamm.kill()  # some are offline: no stop is clean


def test_damage_after_a_kill(broker_of):
    klamm = broker_of()
    fill(klamm, AFTER_KILL)
    klamm.stop()  # so far everything is checkpointed as synced
    points = (klamm.data / CHECKPOINTS[0]).read_text().splitlines()[2:]
    assert sorted(points) == sorted(f"{name_of(damage)} 0 {FIRST_COUNT}" for damage in AFTER_KILL)
    klamm.start()
    with Wire(klamm.bootstrap) as wire:
        for damage in AFTER_KILL:
            put(wire, name_of(damage), range(FIRST_COUNT, FIRST_COUNT + MORE_COUNT))
    klamm.kill()
    done = {name_of(damage): damage(Files(klamm, name_of(damage))) for damage in AFTER_KILL}
    before = len(klamm.lines)
    klamm.start()
    check(klamm, klamm.lines[before:], done, FIRST_COUNT + MORE_COUNT)
    assert list(Files(klamm, name_of(rotten)).path.glob("*.rot"))
    assert any("MB read by recovery" in line for line in klamm.lines[before:])
    klamm.kill()


def test_what_rots_below_the_recovery_point_is_never_served_as_good(broker_of):
    """Opening reads no sealed segment. A record's bytes are the consumer's to look at, by the checksum; what
    is damaged in a batch's header the broker sees when it is read. Neither spreads."""
    klamm = broker_of()
    fill(klamm, [body_flipped, middle_flipped])
    klamm.stop()
    body, middle = name_of(body_flipped), name_of(middle_flipped)
    bad = [body_flipped(Files(klamm, body)), middle_flipped(Files(klamm, middle))]
    klamm.start()
    with Wire(klamm.bootstrap) as wire:
        code, found = fetch(wire, body, 0)
        assert code == OK and [base for base, fits, _ in found if not fits] == [bad[0]], found
        code, found = fetch(wire, middle, bad[1])
        assert (code, found) == (CORRUPT_MESSAGE, [])
        for topic, number in zip((body, middle), bad):
            code, found = fetch(wire, topic, number + 1)
            assert code == OK and found[0] == (number + 1, True, value(number + 1)), found
            code, found = fetch(wire, topic, 20)
            assert code == OK and all(fits for _, fits, _ in found)
            assert put(wire, topic, [FIRST_COUNT]) == OK
    klamm.stop()


def test_a_stopped_broker_scans_nothing_and_a_killed_one_only_what_is_new(broker_of):
    klamm = broker_of()
    fill(klamm, [nothing])
    klamm.stop()
    klamm.start()
    assert klamm.metric("klamm_log_recovered_bytes_total") == 0
    with Wire(klamm.bootstrap) as wire:
        put(wire, name_of(nothing), [FIRST_COUNT])
    klamm.kill()
    last = Files(klamm, name_of(nothing)).logs()[-1].stat().st_size
    klamm.start()
    assert klamm.metric("klamm_log_recovered_bytes_total") == last
    klamm.kill()
    (klamm.data / CHECKPOINTS[0]).write_bytes(b"0\n1\n")  # then all that is there is new
    klamm.start()
    assert klamm.metric("klamm_log_recovered_bytes_total") == \
        sum(log.stat().st_size for log in Files(klamm, name_of(nothing)).logs())
    with Wire(klamm.bootstrap) as wire:
        assert values(wire, name_of(nothing)) == [value(n) for n in range(FIRST_COUNT + 1)]
    klamm.stop()
