#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds schema/*.table against what Kafka's jars say.

compare.py facts FILE          FILE is the output of KafkaFacts
compare.py values SEED COUNT   prints random configs of topics and groups, "kind<TAB>key<TAB>value", for both sides to judge
"""

import pathlib
import random
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools" / "gen"))
import tables  # noqa: E402

SCHEMA = str(ROOT / "schema")
MODES = {"static": "read-only", "broker": "per-broker", "cluster": "cluster-wide"}


def read_default(text):
    """KafkaFacts writes a class as Java does, and nothing as a dash."""
    if text == "-":
        return None
    return "" if text == "(empty)" else re.sub(r"^class ", "", text)


def read_rule(text, kind):
    """Kafka's description of a validator, in the words of our column `valid`."""
    bounds = re.fullmatch(r"\[(-?[\d.]+?),\.\.\.(?:,(-?[\d.]+))?\](?: or (-?\d+))?", text)
    if bounds:
        low, high, also = bounds.groups()
        return f"{low}..{high or ''}" + (f" or {also}" if also else "")
    words = re.fullmatch(r"(\(case insensitive\) )?\[([\w, ]+)\]", text)
    if words:
        how = "one-nocase" if words[1] else "each" if kind == "list" else "one"
        return f"{how} {words[2].replace(',', '')}"
    if text.startswith("[partitionId]"):
        return "throttled"
    if text.startswith("[latest, earliest, by_duration:"):
        return "reset"
    return "nonempty" if text == "non-empty string" else "-"


def read_synonyms(text):
    if text == "(empty)":
        return []
    pairs = (word.split(":") for word in text.split(","))
    return [(name, int(factor)) for name, factor in pairs]


class Comparison:
    def __init__(self):
        self.count = 0
        self.failures = []

    def expect(self, what, ours, kafkas):
        self.count += 1
        if ours != kafkas:
            self.failures.append(f"{what}: {ours!r} here, {kafkas!r} in Kafka")

    def names(self, what, ours, kafkas):
        self.expect(f"{what} that only we have", sorted(set(ours) - set(kafkas)), [])
        self.expect(f"{what} that only Kafka has", sorted(set(kafkas) - set(ours)), [])


def compare_errors(c, errors, facts):
    c.names("error codes", [e.code for e in errors], [int(f[0]) for f in facts])
    by_code = {int(f[0]): f for f in facts}
    for e in errors:
        if e.code in by_code:
            c.expect(f"error {e.code}", (e.name, e.is_retriable), (by_code[e.code][1], by_code[e.code][2] == "true"))


def compare_config(c, ours, kind, default, internal, rule):
    c.expect(f"{ours.name} type", ours.type, kind.lower())
    c.expect(f"{ours.name} default", ours.kafka_default, read_default(default))
    c.expect(f"{ours.name} internal", ours.is_internal, internal == "true")
    c.expect(f"{ours.name} valid", ours.rule.text, read_rule(rule, ours.type))


def compare_broker(c, configs, facts):
    ours = {x.name: x for x in configs if x.section == "kafka"}
    c.names("broker keys", ours, [f[0] for f in facts])
    for name, kind, default, mode, internal, rule in facts:
        if name in ours:
            compare_config(c, ours[name], kind, default, internal, rule)
            c.expect(f"{name} set how", MODES[ours[name].mode], mode)


def compare_dynamic(c, configs, facts):
    """Those that we have."""
    kafkas = {f[0]: f[1:] for f in facts}
    for ours in (x for x in configs if x.section == "dynamic"):
        kind, default, rule = kafkas.get(ours.name, ("-", "-", "-"))
        compare_config(c, ours, kind, default, "true", rule)


def compare_with_synonyms(c, what, configs, facts):
    """Keys of topics or groups."""
    ours = {x.name: x for x in configs if x.section == "kafka"}
    c.names(f"{what} keys", ours, [f[0] for f in facts])
    for name, kind, default, internal, rule, synonyms in facts:
        if name in ours:
            compare_config(c, ours[name], kind, default, internal, rule)
            c.expect(f"{name} broker keys", ours[name].synonyms, read_synonyms(synonyms))


def compare_facts(path):
    facts = {"error": [], "broker": [], "dynamic": [], "topic": [], "group": []}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            kind, *fields = line.rstrip("\n").split("\t")
            facts[kind].append(fields)
    c, t = Comparison(), tables.Tables(SCHEMA)
    compare_errors(c, t.errors, facts["error"])
    compare_broker(c, t.broker, facts["broker"])
    compare_dynamic(c, t.broker, facts["dynamic"])
    compare_with_synonyms(c, "topic", t.topic, facts["topic"])
    compare_with_synonyms(c, "group", t.group, facts["group"])
    for failure in c.failures:
        print(failure)
    print(f"tables: {len(facts['error'])} errors, {len(facts['broker'])} broker keys, {len(facts['topic'])} topic keys, "
          f"{len(facts['group'])} group keys, {c.count} comparisons, {len(c.failures)} failed")
    return 1 if c.failures else 0


WORDS = ["", "*", "0", "1", "-1", "+7", "00", "2147483647", "2147483648", "-2147483649", "9223372036854775807",
         "9223372036854775808", "0.5", "1e-1", ".25", "1.", "true", "False", "gzip", "producer", "compact", "delete",
         "by_duration:PT1H", "by_duration:-P-1D", "by_duration:P1DT2H3M4.5S", "by_duration:PT1H-61M", "__x", "sticky",
         "CreateTime", "LogAppendTime", "0:1", "12:34", "1:", ":1", "1:2:3", "x", "1 2", "0x10", "1_000", "1,5"]


def random_value(r, config):
    near = [str(b + d) for b in (config.rule.low, config.rule.high, config.rule.also) if b is not None for d in (-1, 0, 1)]
    pool = WORDS + 4 * (near + config.rule.words + ([config.default] if config.default else []))
    parts = [r.choice(pool) for _ in range(r.choice((1, 1, 1, 2, 3)))]
    if config.rule.name == "reset" and r.random() < 0.7:
        parts = ["by_duration:" + random_duration(r)]
    if config.name.endswith((".session.timeout.ms", ".heartbeat.interval.ms", ".standby.replicas")):
        parts = [str(r.choice((1, 2, 3, 7, 8, 4999, 5000, 5001, 19999, 20000, 20001, 44000, 44001, 44999, 45000, 60000, 60001)))]
    blank = lambda: r.choice(("", "", "", " ", "  "))  # noqa: E731
    return blank() + (blank() + "," + blank()).join(parts) + blank()


def random_duration(r):
    """Often almost one."""
    def number():
        return r.choice(("", "", "-", "+")) + str(r.choice((0, 1, 59, 61, 10**12, 2**63 - 1, 2**63)))
    days = number() + "D" if r.random() < 0.4 else ""
    times = "".join(number() + unit for unit in "HM" if r.random() < 0.4)
    if r.random() < 0.4:
        times += number() + r.choice(("", "", ".", ".5", ",25", ".123456789", ".1234567890")) + "S"
    text = r.choice(("", "", "-", "+")) + "P" + days + ("T" + times if times or r.random() < 0.1 else "")
    if r.random() < 0.2:
        at = r.randrange(len(text) + 1)
        text = text[:at] + r.choice("PTDHMS+-. 1x") + text[at + r.randrange(2):]
    return text.lower() if r.random() < 0.2 else text


def print_values(seed, count):
    r = random.Random(seed)
    t = tables.Tables(SCHEMA)
    configs = [c for c in t.topic + t.group if c.section == "kafka"]
    for _ in range(count):
        config = r.choice(configs)
        kind = r.choice(("group", "loose")) if config.kind == "group" else config.kind
        print(f"{kind}\t{config.name}\t{random_value(r, config)}")
    return 0


def main(args):
    if len(args) == 2 and args[0] == "facts":
        return compare_facts(args[1])
    if len(args) == 3 and args[0] == "values":
        return print_values(args[1], int(args[2]))
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
