#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_DIR [SEED [ROUNDS]]: our codec against Kafka's.
#
# 1. schema/api against the message definitions inside the kafka-clients jar;
# 2. random messages of ours, read and written again by Kafka's message classes;
# 3. random messages of Kafka's, read and written again by our codec.
set -eu

build=${1:?usage: run.sh BUILD_DIR [SEED [ROUNDS]]}
seed=${2:-1}
rounds=${3:-60}
here=$(cd "$(dirname "$0")" && pwd)
frames=$build/codec_frames
classes=$build/codec-java
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "codec: seed $seed (repeat: test/codec/run.sh $build $seed $rounds)"
python3 "$here/check_schema.py"

class_path=$(cd "$here/../kafka" && python3 -c 'import kafka_server; print(kafka_server.classpath())')
mkdir -p "$classes"
if [ ! -e "$classes/KafkaFrames.class" ] || [ "$here/KafkaFrames.java" -nt "$classes/KafkaFrames.class" ]; then
    javac -Xlint:all -Werror -proc:none -cp "$class_path" -d "$classes" "$here/KafkaFrames.java"
fi

"$frames" facts > "$work/facts"
"$frames" write "$seed" "$rounds" > "$work/ours"
java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$classes:$class_path" KafkaFrames \
    "$work/facts" "$work/ours" "$work/theirs" "$seed" "$rounds"
"$frames" check < "$work/theirs"
