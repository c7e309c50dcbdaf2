# SPDX-License-Identifier: Apache-2.0
"""Log directories whose disk fails, in a real process: bad_disk.c makes it, at the calls and below the
paths that a file names. The others serve; the broker ends with the last."""

import subprocess

import pytest

from confluent import create
from klamm import KlammError, KlammServer
from conftest import HERE
from test_bad_disks import ask_put, error_of, until
from wire import Wire

STORAGE_ERROR = 56
PARTITIONS = 6


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    out = tmp_path_factory.mktemp("shim") / "bad_disk.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-Wall", "-Werror",
                    str(HERE / "bad_disk.c"), "-o", str(out), "-ldl"], check=True)
    return out


class Disks:
    """A broker over three directories, whose disks can be told to fail."""

    def __init__(self, binary, shim, tmp_path):
        self.control = tmp_path / "bad"
        self.dirs = [tmp_path / f"d{i}" for i in range(3)]
        self.klamm = KlammServer(binary, directory=tmp_path / "b",
                                 klamm__admin__listener="127.0.0.1:0",
                                 env={"LD_PRELOAD": str(shim), "BAD_DISK": str(self.control)})
        self.klamm.set("log.dirs", ",".join(map(str, self.dirs)))

    def fail(self, *rows):
        new = self.control.with_suffix(".new")
        new.write_text("".join(f"{call} {path}\n" for call, path in rows))
        new.rename(self.control)

    def mend(self):
        self.control.unlink()

    def described(self):
        """{directory: (error, partitions)}."""
        with Wire(self.klamm.bootstrap) as wire:
            answer = wire.ask("DescribeLogDirs", 3, Topics=None)
        return {row["LogDir"]: (row["ErrorCode"], {
            (t["Name"], p["PartitionIndex"]) for t in row["Topics"] for p in t["Partitions"]})
            for row in answer["Results"]}

    def put_all(self, topic, partitions=PARTITIONS):
        """{partition: error} of a record to each, one after another."""
        with Wire(self.klamm.bootstrap) as wire:
            return {i: error_of(ask_put(wire, topic, partition=i)) for i in range(partitions)}


@pytest.fixture
def disks(binary, shim, tmp_path):
    it = Disks(binary, shim, tmp_path)
    yield it
    if it.klamm.is_running():
        it.klamm.kill()


def partitions_in(disks, which, topic):
    return {i for name, i in disks.described()[str(disks.dirs[which])][1] if name == topic}


@pytest.mark.parametrize("call", ["sync", "write"])
def test_a_directory_that_fails_costs_its_partitions_only(disks, call):
    disks.klamm.start()
    create(disks.klamm, "t", PARTITIONS)
    assert set(disks.put_all("t").values()) == {0}
    inside = partitions_in(disks, 1, "t")
    assert len(inside) == 2
    disks.fail((call, disks.dirs[1]))
    assert disks.put_all("t") == {i: STORAGE_ERROR if i in inside else 0 for i in range(PARTITIONS)}
    described = disks.described()
    assert described[str(disks.dirs[1])] == (STORAGE_ERROR, set())
    assert [described[str(disks.dirs[i])][0] for i in (0, 2)] == [0, 0]
    assert disks.klamm.metric("klamm_log_dir_offline") == 1
    assert f"log directory {disks.dirs[1]} goes offline" in disks.klamm.stderr
    # What is new goes elsewhere.
    create(disks.klamm, "new", PARTITIONS)
    assert set(disks.put_all("new").values()) == {0}
    assert not partitions_in(disks, 1, "new")
    # All is there again when the disk is well.
    disks.klamm.kill()
    disks.mend()
    disks.klamm.start()
    assert set(disks.put_all("t").values()) == {0}
    assert partitions_in(disks, 1, "t") == inside
    disks.klamm.stop()


def test_a_start_without_a_directory(disks):
    disks.klamm.start()
    create(disks.klamm, "t", PARTITIONS)
    assert set(disks.put_all("t").values()) == {0}
    inside = partitions_in(disks, 2, "t")
    disks.klamm.stop()
    disks.fail(("name", disks.dirs[2]), ("read", disks.dirs[2]))
    disks.klamm.start()
    assert disks.put_all("t") == {i: STORAGE_ERROR if i in inside else 0 for i in range(PARTITIONS)}
    assert disks.described()[str(disks.dirs[2])] == (STORAGE_ERROR, set())
    create(disks.klamm, "new", PARTITIONS)
    assert set(disks.put_all("new").values()) == {0}
    disks.klamm.stop()
    disks.mend()
    disks.klamm.start()
    assert set(disks.put_all("t").values()) == {0}
    assert partitions_in(disks, 2, "t") == inside
    # The first one holds the metadata.
    disks.klamm.stop()
    disks.fail(("name", disks.dirs[0]))
    with pytest.raises(KlammError, match="input/output error"):
        disks.klamm.start()


def test_a_file_that_cannot_be_read_costs_its_partition(disks):
    disks.klamm.start()
    create(disks.klamm, "t", PARTITIONS)
    assert set(disks.put_all("t").values()) == {0}
    disks.klamm.kill()
    at = next(d for d in disks.dirs if (d / "t-4").is_dir())
    disks.fail(("read", at / "t-4"))
    disks.klamm.start()
    assert disks.put_all("t") == {i: STORAGE_ERROR if i == 4 else 0 for i in range(PARTITIONS)}
    assert "t-4 is offline" in disks.klamm.stderr
    disks.klamm.stop()


def test_the_broker_ends_when_all_have_failed(disks):
    disks.klamm.start()
    create(disks.klamm, "t", PARTITIONS)
    assert set(disks.put_all("t").values()) == {0}
    disks.fail(*(("sync", d / "t-") for d in disks.dirs), *(("sync", d / "klamm.j") for d in disks.dirs))
    try:
        disks.put_all("t")
    except Exception:  # it may be gone before it can answer
        pass
    until("it ends", lambda: disks.klamm.process.poll() is not None)
    assert disks.klamm._ended() != 0
    assert "every log directory has failed" in disks.klamm.stderr
    disks.mend()
    disks.klamm.start()
    assert set(disks.put_all("t").values()) == {0}
    disks.klamm.stop()
