#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes C and documents from the tables of facts in schema/*.table.

tables.py --schema schema --out build/gen [--list-outputs]
tables.py --schema schema --docs docs [--check]

C: error codes (wire/), configuration keys (metadata/), metrics and limits (base/).
Documents: configs.md, errors.md, metrics.md, limits.md, glossary.md; --check says which are out of date.
Standard library only.
"""

import argparse
import os
import re
import sys

INT_MAX = 2**31 - 1
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
TYPES = ("boolean", "string", "int", "short", "long", "double", "list", "class", "password")
TYPE_BOUNDS = {"int": (-(2**31), INT_MAX), "short": (-(2**15), 2**15 - 1), "long": (LONG_MIN, LONG_MAX)}
STATUSES = ("works", "later", "ignored", "security")
# Behind the description that clients are told, by kind and status: what server_config_source.c:judge makes of the key.
STANDING = {
    ("topic", "later"): " (kept, without effect yet)",
    ("group", "later"): " (kept, without effect yet)",
    ("broker", "later"): " (without effect in this build)",
    ("broker", "ignored"): " (means nothing to this broker)",
    ("broker", "security"): " (not built: with anything but the default the broker does not start)",
}


class TableError(Exception):
    """A table that breaks its own rules; the text says where."""


class Row:
    """One line of a table: its cells and where it stands."""

    def __init__(self, place, section, cells):
        self.place = place
        self.section = section
        self.cells = cells

    def fail(self, why):
        raise TableError(f"{self.place}: {why}")


def read_table(path, columns, sections=(None,)):
    """The rows of a table; every row has `columns` cells and stands in one of `sections`."""
    rows, section = [], None
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.strip()
            place = f"{os.path.basename(path)}:{number}"
            if not line or line.startswith("#"):
                continue
            heading = re.fullmatch(r"\[(\w+)\]", line)
            if heading:
                section = heading[1]
                continue
            row = Row(place, section, [cell.strip() for cell in line.split(" | ")])
            if section not in sections and section != "buckets":
                row.fail(f"section [{section}] is not known here")
            if section != "buckets" and len(row.cells) != columns:
                row.fail(f"{len(row.cells)} cells instead of {columns}")
            rows.append(row)
    return rows


def upper(name):
    return re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def c_text(text):
    return "NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def c_long(value):
    if value == LONG_MIN:
        return "INT64_MIN"
    return "INT64_MAX" if value == LONG_MAX else f"INT64_C({value})"


# ---- errors


class Error:
    def __init__(self, row):
        code, self.name, retry, self.message = row.cells
        self.code = int(code)
        if retry not in ("yes", "no"):
            row.fail("retry is yes or no")
        self.is_retriable = retry == "yes"


def load_errors(schema):
    errors = [Error(row) for row in read_table(f"{schema}/errors.table", 4)]
    if [e.code for e in errors] != list(range(-1, len(errors) - 1)):
        raise TableError("errors.table: the codes are not -1, 0, 1, ... without a gap")
    return errors


# ---- configuration


class Rule:
    """What the column `valid` says."""

    def __init__(self, row, kind, text):
        self.name, self.words, self.low, self.high, self.also = "any", [], None, None, None
        bounds = re.fullmatch(r"(-?[\d.]+?)?\.\.(-?[\d.]+)?(?: or (-?\d+))?", text)
        words = re.fullmatch(r"(one|one-nocase|each) (.+)", text)
        if bounds:
            number = float if kind == "double" else int
            if kind not in TYPE_BOUNDS and kind != "double":
                row.fail("bounds are for numbers")
            self.name = "bounds"
            self.low, self.high, self.also = (None if b is None else number(b) for b in bounds.groups())
        elif words:
            self.name = {"one": "one", "one-nocase": "one_nocase", "each": "each"}[words[1]]
            self.words = words[2].split()
        elif text in ("nonempty", "throttled", "reset"):
            self.name = text
        elif text != "-":
            row.fail(f"cannot read the rule {text!r}")
        self.text = text


class Config:
    """A key of configs.table, topic-configs.table or group-configs.table."""

    def __init__(self, row, kind):
        self.name, self.type, default, mode, valid, self.status, doc = row.cells
        self.section, self.place, self.kind = row.section, row.place, kind
        self.row = row
        if self.type not in TYPES:
            row.fail(f"unknown type {self.type}")
        if self.status not in STATUSES:
            row.fail(f"unknown status {self.status}")
        if doc == "-":
            row.fail("every key has a description: clients are told it")
        if self.status != "works" and (kind, self.status) not in STANDING:
            row.fail(f"no key of a {kind} is {self.status}")
        ours = re.fullmatch(r"(.*?) \[kafka: (.*)\]", default)
        self.kafka_default = self.read_default(ours[2] if ours else default)
        self.default = self.read_default(ours[1] if ours else default)
        self.deviates = bool(ours)
        self.rule = Rule(row, self.type, valid)
        self.what = doc
        self.doc = doc + STANDING.get((kind, self.status), "")
        # Keys that this Kafka does not have by itself are told only where they are set.
        self.is_internal = "internal" in mode.split() or row.section in ("dynamic", "authorizer", "gone")
        self.is_dynamic_only = row.section == "dynamic"
        self.mode = mode.replace("internal", "").strip() or "-"
        self.synonyms = [] if kind == "broker" else self.read_synonyms()

    @staticmethod
    def read_default(text):
        return None if text == "-" else "" if text == "(empty)" else text

    def read_synonyms(self):
        if self.mode == "-":
            return []
        found = []
        for word in self.mode.split(", "):
            name, _, factor = word.partition("*")
            found.append((name, int(factor or 1)))
        return found

    def check(self, broker_names):
        if self.kind == "broker" and self.mode not in ("static", "broker", "cluster"):
            self.row.fail(f"unknown way of setting: {self.mode}")
        for name, _ in self.synonyms:
            if name not in broker_names:
                self.row.fail(f"{name} is not in configs.table")


def load_configs(schema):
    sections = ("kafka", "dynamic", "authorizer", "gone", "klamm")
    broker = [Config(r, "broker") for r in read_table(f"{schema}/configs.table", 7, sections)]
    topic = [Config(r, "topic") for r in read_table(f"{schema}/topic-configs.table", 7, ("kafka", "klamm"))]
    group = [Config(r, "group") for r in read_table(f"{schema}/group-configs.table", 7, ("kafka",))]
    names = {c.name for c in broker}
    for configs in (broker, topic, group):
        if len({c.name for c in configs}) != len(configs):
            raise TableError("a config stands twice in its table")
        for config in configs:
            config.check(names)
        configs.sort(key=lambda config: config.name)
    return broker, topic, group


# ---- metrics, limits, glossary


class Metric:
    def __init__(self, row, buckets):
        self.name, kind, labels, self.help = row.cells
        self.section = row.section
        self.kind, _, bucket_set = kind.partition(":")
        if self.kind not in ("counter", "gauge", "histogram") or bool(bucket_set) != (self.kind == "histogram"):
            row.fail(f"unknown kind {kind}")
        if bucket_set and bucket_set not in buckets:
            row.fail(f"unknown buckets {bucket_set}")
        if (self.kind == "counter") != self.name.endswith("_total"):
            row.fail("counters, and only they, end in _total")
        self.buckets = buckets.get(bucket_set, [])
        self.bucket_set = bucket_set
        self.labels = [] if labels == "-" else labels.split(", ")


def load_metrics(schema):
    sections = ("process", "network", "requests", "memory", "topics", "partitions", "log", "threads", "groups",
                "cluster")
    rows = read_table(f"{schema}/metrics.table", 4, sections)
    buckets = {r.cells[0]: r.cells[1].split() for r in rows if r.section == "buckets"}
    return [Metric(r, buckets) for r in rows if r.section != "buckets"], buckets


def load_limits(schema):
    limits = []
    for row in read_table(f"{schema}/limits.table", 4):
        name, value, bounds, seen = row.cells
        if not 0 < int(value) <= INT_MAX:
            row.fail("a limit is a positive int")
        limits.append((name, int(value), bounds, seen))
    return limits


def load_glossary(schema):
    words = [tuple(row.cells) for row in read_table(f"{schema}/glossary.table", 2)]
    return sorted(words)


# ---- C


def head(what):
    return f"// SPDX-License-Identifier: Apache-2.0\n/* {what} Made by tools/gen/tables.py. Thread: any; constant. */\n"


def make_kerr_h(tables):
    out = head("kerr_codes: Kafka's error codes.")
    out += "#ifndef WIRE_KERR_CODES_H\n#define WIRE_KERR_CODES_H\n\nenum kerr {\n"
    for e in tables.errors:
        out += f"    KERR_{e.name} = {e.code}, /* {e.message} */\n"
    out += f"    KERR_FIRST = -1,\n    KERR_LAST = {tables.errors[-1].code},\n}};\n\n#endif\n"
    return out


def make_kerr_c(tables):
    out = head("kerr_codes: names, messages and retry of Kafka's error codes.")
    out += '#include "wire/kerr.h"\n\nconst struct kerr_def kerr_defs[KERR_LAST - KERR_FIRST + 1] = {\n'
    for e in tables.errors:
        retry = "true" if e.is_retriable else "false"
        out += f"    {{{c_text(e.name)}, {c_text(e.message)}, {retry}}},\n"
    return out + "};\n"


def make_config_keys_h(tables):
    out = head("config_keys: the numbers of the configuration keys.")
    out += "#ifndef METADATA_CONFIG_KEYS_H\n#define METADATA_CONFIG_KEYS_H\n\n"
    for kind, configs in tables.configs_by_kind():
        out += f"enum config_{kind}_key {{\n"
        for config in configs:
            out += f"    CONFIG_{kind.upper()}_{upper(config.name)},\n"
        out += f"    CONFIG_{kind.upper()}_COUNT\n}};\n\n"
    return out + "#endif\n"


def config_initialiser(config, words):
    rule = config.rule
    low, high = TYPE_BOUNDS.get(config.type, (0, 0))
    whole = config.type in TYPE_BOUNDS
    if whole and rule.low is not None:
        low = rule.low
    if whole and rule.high is not None:
        high = rule.high
    real_low = rule.low if config.type == "double" and rule.low is not None else "-HUGE_VAL"
    real_high = rule.high if config.type == "double" and rule.high is not None else "HUGE_VAL"
    lines = [
        f".name = {c_text(config.name)}",
        f".default_text = {c_text(config.default)}",
        f".doc = {c_text(config.doc)}",
        f".type = CONFIG_{config.type.upper()}",
        f".status = CONFIG_{config.status.upper()}",
        f".rule = CONFIG_RULE_{rule.name.upper()}",
    ]
    if config.kind == "broker":
        lines.append(f".update = CONFIG_UPDATE_{config.mode.upper()}")
    if whole:
        lines.append(f".min = {c_long(low)}, .max = {c_long(high)}")
        lines.append(f".also = {c_long(low if rule.also is None else rule.also)}")
    if config.type == "double":
        lines.append(f".real_min = {real_low}, .real_max = {real_high}")
    if rule.words:
        lines.append(f".words = {words[tuple(rule.words)]}")
    if config.synonyms:
        lines.append(f".synonyms = {config.kind}_synonyms_of_{upper(config.name).lower()}")
        lines.append(f".synonym_count = {len(config.synonyms)}")
    if config.is_internal:
        lines.append(".is_internal = true")
    if config.is_dynamic_only:
        lines.append(".is_dynamic_only = true")
    return "    {" + ",\n     ".join(lines) + "},\n"


def make_config_defs_c(tables):
    out = head("config_defs: every configuration key.")
    out += '#include "metadata/config.h"\n\n#include <math.h>\n\n'
    words = {}
    for config in tables.broker + tables.topic + tables.group:
        key = tuple(config.rule.words)
        if key and key not in words:
            words[key] = f"words_{len(words)}"
            texts = ", ".join(c_text(w) for w in key)
            out += f"static const char *const {words[key]}[] = {{{texts}, NULL}};\n"
    out += "\n"
    for config in tables.topic + tables.group:
        if config.synonyms:
            name = f"{config.kind}_synonyms_of_{upper(config.name).lower()}"
            out += f"static const struct config_synonym {name}[] = {{\n"
            for name, factor in config.synonyms:
                out += f"    {{CONFIG_BROKER_{upper(name)}, {factor}}},\n"
            out += "};\n"
    for kind, configs in tables.configs_by_kind():
        out += f"\nconst struct config_def config_{kind}_defs[CONFIG_{kind.upper()}_COUNT] = {{\n"
        out += "".join(config_initialiser(config, words) for config in configs) + "};\n"
    return out


def make_metric_h(tables):
    out = head("metric_table: what /metrics says.")
    out += "#ifndef BASE_METRIC_TABLE_H\n#define BASE_METRIC_TABLE_H\n\n#include <stdint.h>\n\nenum metric {\n"
    for metric in tables.metrics:
        labels = f" /* {', '.join(metric.labels)} */" if metric.labels else ""
        out += f"    METRIC_{upper(re.sub('^klamm_', '', metric.name))},{labels}\n"
    most = max(len(m.labels) for m in tables.metrics)
    out += "    METRIC_COUNT\n};\n\nenum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };\n\n"
    out += f"enum {{ METRIC_LABELS_MAX = {most} }};\n\n"
    for name, bounds in tables.buckets.items():
        out += f"enum {{ METRIC_BUCKETS_{name.upper()} = {len(bounds)} }}; /* without the one for everything above */\n"
        out += f"extern const double metric_buckets_{name}[METRIC_BUCKETS_{name.upper()}];\n"
    out += """
struct metric_def {
    const char *name;
    const char *help;
    const char *labels[METRIC_LABELS_MAX];
    const double *buckets; /* upper bounds, rising; histograms only */
    uint8_t label_count;
    uint8_t bucket_count;
    enum metric_kind kind;
};

/* By enum metric. */
extern const struct metric_def metric_defs[METRIC_COUNT];

#endif
"""
    return out


def make_metric_c(tables):
    out = head("metric_table: what /metrics says.")
    out += '#include "base/metric_table.h"\n\n#include <stddef.h>\n\n'
    for name, bounds in tables.buckets.items():
        out += f"const double metric_buckets_{name}[METRIC_BUCKETS_{name.upper()}] = {{{', '.join(bounds)}}};\n"
    out += "\nconst struct metric_def metric_defs[METRIC_COUNT] = {\n"
    for m in tables.metrics:
        labels = ", ".join(c_text(label) for label in m.labels) or "NULL"
        buckets = f"metric_buckets_{m.bucket_set}" if m.buckets else "NULL"
        out += f"    {{{c_text(m.name)}, {c_text(m.help)}, {{{labels}}}, {buckets}, {len(m.labels)}, "
        out += f"{len(m.buckets)}, METRIC_{m.kind.upper()}}},\n"
    return out + "};\n"


def make_limits_h(tables):
    out = head("limits: bounds that are not configuration.")
    out += "#ifndef BASE_LIMITS_H\n#define BASE_LIMITS_H\n\nenum {\n"
    for name, value, bounds, _ in tables.limits:
        out += f"    LIMIT_{name} = {value}, /* {bounds} */\n"
    return out + "};\n\n#endif\n"


C_OUTPUTS = {
    "wire/kerr_codes.h": make_kerr_h,
    "wire/kerr_codes.c": make_kerr_c,
    "metadata/config_keys.h": make_config_keys_h,
    "metadata/config_defs.c": make_config_defs_c,
    "base/metric_table.h": make_metric_h,
    "base/metric_table.c": make_metric_c,
    "base/limits.h": make_limits_h,
}


# ---- documents


def doc_head(title, source, lead):
    return (f"# {title}\n\n<!-- Made from schema/{source} by tools/gen/tables.py --docs; change the table, "
            f"not this page. -->\n\n{lead}\n")


def md(text):
    return text.replace("|", "\\|").replace("<", "&lt;")


def md_row(*cells):
    return "| " + " | ".join(md(cell) for cell in cells) + " |\n"


def md_table(*columns):
    return "\n" + md_row(*columns) + md_row(*("---" for _ in columns))


def show_default(config):
    ours = {None: "none", "": "empty"}.get(config.default, config.default)
    if not config.deviates:
        return ours
    return f"{ours} (Kafka: {config.kafka_default})"


def show_rule(config):
    text = config.rule.text
    text = re.sub(r"^one(-nocase)? (.*)", lambda m: "one of " + ", ".join(m[2].split()), text)
    text = re.sub(r"^each (.*)", lambda m: "any of " + ", ".join(m[1].split()), text)
    text = re.sub(r"^(-?[\d.]+?)\.\.$", r"\1 or more", text)
    text = re.sub(r"^(-?[\d.]+?)\.\.(-?[\d.]+)", r"\1 to \2", text)
    return {"-": "", "nonempty": "not empty", "throttled": "* or partition:broker, ...",
            "reset": "latest, earliest, by_duration:PnDTnHnMn.nS"}.get(text, text)


def key_list(configs):
    return ", ".join(f"`{c.name}`" for c in configs) + "\n"


def make_configs_md(tables):
    out = doc_head("Configuration", "configs.table, topic-configs.table and group-configs.table", CONFIGS_LEAD)
    works = [c for c in tables.broker if c.status == "works"]
    for title, *sections in (("Klamm's own keys", "klamm"), ("Kafka's keys that work", "kafka", "dynamic")):
        out += f"\n## {title}\n" + md_table("key", "type", "default", "valid", "what it does")
        for c in works:
            if c.section in sections:
                out += md_row(f"`{c.name}`", c.type, show_default(c), show_rule(c), c.what)
    out += "\n## Topic keys that work\n\nSet per topic; the broker's keys stand in where a topic has no value of its own.\n"
    out += md_table("key", "type", "default", "valid", "broker keys", "what it does")
    for c in tables.topic:
        if c.status == "works":
            synonyms = ", ".join(f"`{name}`" for name, _ in c.synonyms)
            out += md_row(f"`{c.name}`", c.type, show_default(c), show_rule(c), synonyms, c.what)
    out += GROUP_CONFIGS_LEAD
    out += md_table("key", "type", "default", "valid", "broker key", "what it is for")
    for c in tables.group:
        out += md_row(f"`{c.name}`", c.type, show_default(c), show_rule(c),
                      ", ".join(f"`{name}`" for name, _ in c.synonyms), c.what)
    for title, status, lead in CONFIG_LISTS:
        out += f"\n## {title}\n\n{lead}\n\n"
        out += key_list(c for c in tables.broker if c.status == status)
        topic = [c for c in tables.topic if c.status == status]
        if topic:
            out += "\nOf topics: " + key_list(topic)
    return out


CONFIGS_LEAD = """The broker reads Kafka's `server.properties`, with Kafka's names and defaults. The same keys can be given as
`--set key=value` and as environment variables (`KLAMM_LOG_RETENTION_MS` for `log.retention.ms`; for Klamm's own keys
`KLAMM_ACK` does as well as `KLAMM_KLAMM_ACK`). `--set` wins over the environment, the environment over the file. A key that
is not on this page stops the start, and the message names the nearest key that is.

Two defaults differ from Kafka's: data goes to `./data`, and `node.id` may be left out (an empty directory becomes node 1, and
the number is kept there). Listeners named in `controller.listener.names` are not opened: there is no KRaft quorum here. A topic's
source in DescribeConfigs is that of the value in force, also where it comes from `log.retention.hours` and the like.

These can also be set while the broker runs, for one broker or for all (AlterConfigs, `kafka-configs`), and are in force at once: the keys that stand in
for a topic's (the table of topic keys names them), `max.connections`, `max.connections.per.ip`, `producer.id.expiration.ms`, and how the
log cleaner works: `log.cleaner.backoff.ms`, `.threads` (from half of what it is to double at a time), `.dedupe.buffer.size` (more than 1 MiB for each
thread), `.io.buffer.size`, `.io.buffer.load.factor`, `.io.max.bytes.per.second`. A compaction under way takes a new rate at once; the memory of the
others is that of the next one. Unlike Kafka's, it is not begun anew."""

GROUP_CONFIGS_LEAD = """
## Group keys

Set per group id, also before there is such a group; the broker's key stands in where a group has no value of its own, and its
`min` and `max` keys bound the value. They are kept, shown and listed, and have no effect yet: the groups that read them
(KIP-848, share groups, streams groups) are not built.
"""

CONFIG_LISTS = (
    ("Accepted, not built yet", "later", "Accepted with a warning: they mean something, but this build does not act on them."),
    ("Accepted and without meaning here", "ignored",
     "Accepted with a note: they steer parts of Kafka that do not exist here (KRaft, ZooKeeper, the JVM)."),
    ("Security keys that are not built", "security",
     "A value other than the default stops the start: a locked-down file never becomes an open broker. The same holds for their\n"
     "`listener.name.<name>.` forms and for an opened listener that is not PLAINTEXT."),
)


def make_errors_md(tables):
    out = doc_head("Error codes", "errors.table", "Kafka's codes and names; the messages are ours.")
    out += md_table("code", "name", "retry", "message")
    for e in tables.errors:
        out += md_row(str(e.code), e.name, "yes" if e.is_retriable else "", e.message)
    return out


def make_metrics_md(tables):
    lead = ("Served as Prometheus text at `/metrics` on `klamm.admin.listener`; with `?topic=NAME` only the rows of that "
            "topic among those that have a topic.")
    out, section = doc_head("Metrics", "metrics.table", lead), None
    for m in tables.metrics:
        if m.section != section:
            section = m.section
            out += f"\n## {section.capitalize()}\n" + md_table("name", "kind", "labels", "what it says")
        out += md_row(f"`{m.name}`", m.kind, ", ".join(m.labels), m.help)
    out += "\n## Buckets\n\n"
    for name, bounds in tables.buckets.items():
        unit = " (seconds)" if name == "time" else ""
        out += f"* {name}{unit}: {', '.join(bounds)}\n"
    return out


def make_limits_md(tables):
    lead = "Bounds that are not configuration, and what is seen when they are reached."
    out = doc_head("Limits", "limits.table", lead) + md_table("name", "value", "bounds", "at the bound")
    for name, value, bounds, seen in tables.limits:
        out += md_row(name, str(value), bounds, "" if seen == "-" else seen)
    return out


def make_glossary_md(tables):
    out = doc_head("Glossary", "glossary.table", "Our own nouns. Kafka's words keep Kafka's meaning.") + "\n"
    for word, meaning in tables.glossary:
        out += f"* **{word}**: {meaning}\n"
    return out


DOC_OUTPUTS = {
    "configs.md": make_configs_md,
    "errors.md": make_errors_md,
    "metrics.md": make_metrics_md,
    "limits.md": make_limits_md,
    "glossary.md": make_glossary_md,
}


class Tables:
    def __init__(self, schema):
        self.errors = load_errors(schema)
        self.broker, self.topic, self.group = load_configs(schema)
        self.metrics, self.buckets = load_metrics(schema)
        self.limits = load_limits(schema)
        self.glossary = load_glossary(schema)

    def configs_by_kind(self):
        return ("broker", self.broker), ("topic", self.topic), ("group", self.group)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def is_same(path, text):
    try:
        with open(path, encoding="utf-8") as old:
            return old.read() == text
    except FileNotFoundError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--schema", required=True)
    parser.add_argument("--out", help="where the C goes")
    parser.add_argument("--list-outputs", action="store_true")
    parser.add_argument("--docs", help="where the documents go")
    parser.add_argument("--check", action="store_true", help="write nothing, say which documents differ")
    args = parser.parse_args()
    if args.list_outputs:
        print("\n".join(os.path.join(args.out, name) for name in C_OUTPUTS))
        return 0
    tables = Tables(args.schema)
    if args.out:
        for name, make in C_OUTPUTS.items():
            write(os.path.join(args.out, name), make(tables))
    status = 0
    for name, make in DOC_OUTPUTS.items() if args.docs else ():
        path, text = os.path.join(args.docs, name), make(tables)
        if not args.check:
            write(path, text)
        elif not is_same(path, text):
            print(f"{path} is out of date: run tools/gen/tables.py --schema schema --docs docs")
            status = 1
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except TableError as error:
        sys.exit(str(error))
