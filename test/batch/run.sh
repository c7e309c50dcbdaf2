#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_DIR [SEED [COUNT]]: our record batches against Kafka's own code.
#
# 1. what Kafka's builder makes is what test/golden/batches holds;
# 2. batches, whole and broken, judged by both: the same error, and the same bytes stored;
# 3. batches that we put under another codec, read by Kafka.
#
# run.sh BUILD_DIR golden   writes test/golden/batches anew
set -eu

build=${1:?usage: run.sh BUILD_DIR [SEED [COUNT]]}
seed=${2:-1}
count=${3:-20000}
here=$(cd "$(dirname "$0")" && pwd)
golden=$here/../golden/batches
classes=$build/batch-java
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

class_path=$(cd "$here/../kafka" && python3 -c 'import kafka_server; print(kafka_server.classpath())')
mkdir -p "$classes"
if [ ! -e "$classes/KafkaBatches.class" ] || [ "$here/KafkaBatches.java" -nt "$classes/KafkaBatches.class" ]; then
    javac -Xlint:all -Werror -proc:none -cp "$class_path" -d "$classes" "$here/KafkaBatches.java"
fi
kafka() {
    java -Xmx1g -XX:+UseSerialGC -cp "$classes:$class_path" KafkaBatches "$@"
}

if [ "$seed" = golden ]; then
    kafka golden "$golden"
    exit
fi

echo "batch: seed $seed (repeat: test/batch/run.sh $build $seed $count)"
kafka golden "$work/golden"
diff -r "$golden" "$work/golden"
"$build/batch_probe" judge "$seed" "$count" > "$work/lines"
"$build/batch_probe" recode "$seed" $((count / 20)) >> "$work/lines"
kafka check "$work/lines"
