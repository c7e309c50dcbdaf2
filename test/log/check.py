# SPDX-License-Identifier: Apache-2.0
"""Our log files read by Kafka's own dump tool, and Kafka's by ours.

    check.py BUILD_DIR [SEED]
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "kafka"))
import kafka_server as kafka  # noqa: E402

POM = HERE / "pom.xml"


def dump_classpath(build):
    """The jars of kafka-tools; kept in the build directory until the pom changes."""
    kept = build / "log-tools-classpath.txt"
    if kept.exists() and kept.stat().st_mtime > POM.stat().st_mtime:
        paths = kept.read_text().strip()
        if paths and all(os.path.exists(p) for p in paths.split(":")):
            return paths
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:build-classpath",
               f"-Dmdep.outputFile={kept}"]
    for variant in (command + ["-o"], command):
        done = subprocess.run(variant, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode == 0:
            return kept.read_text().strip()
    sys.exit(f"Maven did not find kafka-tools:\n{done.stdout}")


def dump(classpath, files, *options):
    done = subprocess.run(
        ["java", "-Xmx512m", *kafka.QUICK_OPTIONS, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
         "-cp", classpath, "org.apache.kafka.tools.DumpLogSegments",
         "--files", ",".join(map(str, files)), *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0 or "Exception" in done.stdout:
        sys.exit(f"dump-log of {files}:\n{done.stdout[-4000:]}")
    return done.stdout


def probe(build, *args):
    done = subprocess.run([str(build / "log_probe"), *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"log_probe {args}: {done.stdout}{done.stderr}")
    return done.stdout


def expect(claim, text):
    if not claim:
        sys.exit(f"log: {text}")


def facts_of(output):
    """{'t-0': {'start': '0', ...}} of `log_probe read`."""
    facts = {}
    for line in output.splitlines()[1:]:
        name, rest = line.split(" ", 1)
        facts[name] = dict(re.findall(r"(\w+)=(.*?)(?= \w+=|$)", rest))
    return facts


# ---- ours, read by Kafka

def check_ours(build, classpath, work, seed):
    directory = work / "ours"
    print("ours:", probe(build, "write", directory, seed).strip())
    partition = directory / "t-0"
    logs = sorted(partition.glob("*.log"))
    indexes = sorted(partition.glob("*.index"))
    times = sorted(partition.glob("*.timeindex"))
    snapshots = sorted(partition.glob("*.snapshot"))
    expect(len(logs) > 3 and len(indexes) == len(times) == len(logs), "too few segments")
    text = dump(classpath, logs, "--deep-iteration")
    batches = re.findall(r"^baseOffset: (\d+) lastOffset: (\d+) .*isvalid: (\w+)", text, re.M)
    records = re.findall(r"^\| offset: (\d+) ", text, re.M)
    expect(batches and all(valid == "true" for _, _, valid in batches), "an invalid batch")
    expect([int(r) for r in records] == list(range(len(records))), "records are not in order")
    facts = facts_of(probe(build, "read", directory))["t-0"]
    expect(facts["scanned"] == "0", f"a clean stop was scanned: {facts}")
    expect(int(facts["batches"]) == len(batches), f"{facts} but {len(batches)} batches")
    expect(int(facts["end"]) == len(records), f"{facts} but {len(records)} records")
    check_ours_indexes(classpath, indexes, times)
    text = dump(classpath, snapshots)
    last = text[text.index(f"Dumping {snapshots[-1]}"):]
    # One entry for each batch that may be repeated; Kafka keeps the last of an id.
    entries = re.findall(r"producerId: (\d+) producerEpoch: (\d+) .*?lastSequence: (\d+)", last)
    newest = {entry[0]: ":".join(entry) for entry in entries}
    expect(sorted(newest.values()) == sorted(facts["producers"].split(",")),
           f"snapshot says {entries}, we say {facts['producers']}")
    print(f"ours: {len(logs)} segments, {len(batches)} batches, {len(records)} records, "
          f"{len(snapshots)} snapshots, read by kafka-dump-log")


def check_ours_indexes(classpath, indexes, times):
    text = dump(classpath, indexes, "--index-sanity-check")
    expect(text.count("passed sanity check") == len(indexes), text[-2000:])
    text = dump(classpath, times, "--index-sanity-check")
    expect(text.count("passed sanity check") == len(times), text[-2000:])
    for files in (indexes, times):
        text = dump(classpath, files, "--verify-index-only")
        for complaint in ("mismatch", "Mismatch", "not found", "out of order", "don't match"):
            expect(complaint not in text, text[-4000:])
    text = dump(classpath, indexes)
    expect(len(re.findall(r"^offset: \d+ position: \d+", text, re.M)) > 2 * len(indexes),
           "too few index entries: " + text[-2000:])
    text = dump(classpath, times)
    entries = re.findall(r"^timestamp: (\d+) offset: \d+", text, re.M)
    expect(len(entries) >= len(times), "too few time index entries: " + text[-2000:])


# ---- Kafka's, read by us

def produce(server, topic, lines, *options):
    data = "".join(f"{topic} line {i} {'x' * (i * 7 % 900)}\n" for i in range(lines))
    done = subprocess.run(
        ["kcat", "-P", "-b", server.bootstrap, "-t", topic, "-p", "0", "-X", "linger.ms=5",
         "-X", "batch.size=16384", *options],
        input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    expect(done.returncode == 0, f"kcat: {done.stdout}")


def check_kafkas(build, classpath, work):
    server = kafka.KafkaServer({"log.segment.bytes": 1 << 20, "log.index.size.max.bytes": 1 << 16},
                               directory=work / "kafka", heap="512m")
    server.start()
    try:
        for topic, codec in (("plain", "none"), ("gzip", "gzip"), ("zstd", "zstd"),
                             ("lz4", "lz4"), ("snappy", "snappy")):
            produce(server, topic, 6000, "-z", codec, "-X", "enable.idempotence=true")
        server.stop()
        compare(build, classpath, server.data, work / "clean", is_clean=True)
        server.start()
        for topic in ("plain", "zstd"):
            produce(server, topic, 4000, "-X", "enable.idempotence=true")
        server.kill()
        compare(build, classpath, server.data, work / "killed", is_clean=False)
    finally:
        server.kill()


def compare(build, classpath, data, copy, is_clean):
    """Opens a copy, since opening may cut and rebuild; what Kafka dumps of the original counts."""
    shutil.copytree(data, copy)
    for name in copy.glob("__*"):  # the metadata log's directory holds control batches of its own
        if not re.fullmatch(r"__consumer_offsets-\d+", name.name):
            shutil.rmtree(name)
    facts = facts_of(probe(build, "read", copy))
    expect(len(facts) >= 5, f"partitions found: {sorted(facts)}")
    total = 0
    logs_of = {name: sorted((data / name).glob("*.log")) for name in facts}
    dumped = dump(classpath, sum(logs_of.values(), []), "--deep-iteration")
    text_of = {name: "" for name in facts}
    for part in dumped.split("Dumping ")[1:]:
        text_of[pathlib.Path(part.split("\n", 1)[0]).parent.name] += part
    for name, ours in sorted(facts.items()):
        logs = logs_of[name]
        records = re.findall(r"^\| offset: (\d+) ", text_of[name], re.M)
        batches = re.findall(r"^baseOffset: ", text_of[name], re.M)
        expect(int(ours["records"]) == len(records), f"{name}: {ours}, {len(records)} records")
        expect(int(ours["batches"]) == len(batches), f"{name}: {ours}, {len(batches)} batches")
        expect(ours["cut"] == "0", f"{name}: {ours}")
        expect((ours["scanned"] == "0") == is_clean, f"{name}: {ours}")
        expect(int(ours["segments"]) == len(logs), f"{name}: {ours}, {len(logs)} files")
        expect(ours["producers"] != "", f"{name}: no producers")
        total += len(records)
    print(f"kafka's, {'stopped' if is_clean else 'killed'}: {len(facts)} partitions, "
          f"{total} records, the same to both")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    classpath = dump_classpath(build)
    with tempfile.TemporaryDirectory(prefix="klamm-log-") as work:
        check_ours(build, classpath, pathlib.Path(work), seed)
        check_kafkas(build, classpath, pathlib.Path(work))


if __name__ == "__main__":
    main()
