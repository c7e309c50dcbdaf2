#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD_DIR [SEED [COUNT]]: our tables of facts against Kafka's jars.
#
# 1. error codes, keys of brokers, topics and groups, field by field;
# 2. random values of keys of topics and groups, judged and shown by both;
# 3. the documents made from the tables are those in docs/.
set -eu

build=${1:?usage: run.sh BUILD_DIR [SEED [COUNT]]}
seed=${2:-1}
count=${3:-20000}
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
classes=$build/tables-java
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

class_path=$(cd "$here/../kafka" && python3 -c 'import kafka_server; print(kafka_server.classpath())')
mkdir -p "$classes"
if [ ! -e "$classes/KafkaFacts.class" ] || [ "$here/KafkaFacts.java" -nt "$classes/KafkaFacts.class" ]; then
    javac -Xlint:all,-path -Werror -proc:none -cp "$class_path" -d "$classes" "$here/KafkaFacts.java"
fi
kafka_facts() {
    java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=off \
        -cp "$classes:$class_path" KafkaFacts "$@"
}

kafka_facts > "$work/facts"
python3 "$here/compare.py" facts "$work/facts"

python3 "$here/compare.py" values "$seed" "$count" > "$work/values"
"$build/config_values" < "$work/values" > "$work/ours"
kafka_facts values < "$work/values" > "$work/kafkas"
if ! paste "$work/values" "$work/ours" > "$work/a" || ! paste "$work/values" "$work/kafkas" > "$work/b" ||
    ! diff "$work/a" "$work/b" > "$work/diff"; then
    head -20 "$work/diff"
    echo "values: ours (<) and Kafka's (>) differ; repeat: test/tables/run.sh $build $seed $count"
    exit 1
fi
echo "values: $count, $(grep -c '^ok' "$work/ours") of them valid, judged and shown alike (seed $seed)"

python3 "$root/tools/gen/tables.py" --schema "$root/schema" --docs "$root/docs" --check
