# SPDX-License-Identifier: Apache-2.0
"""From samples to a Markdown table: medians over rounds, medians of ratios within a round, and
whether a target is met. Knows nothing about how samples were taken."""

import json
import socket
import statistics

BEGIN = "<!-- bench:begin -->"
END = "<!-- bench:end -->"
BUSY_SHARE = 0.05  # of the machine, by others: more than this is said in the heading


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Row:
    """One line of the table. `values` maps a column to (scenario, metric); `targets` lists
    (column, limit): Klamm is at most `limit` times that column, at least when `at_least`;
    the column None makes the limit absolute."""

    def __init__(self, title, unit, values, targets=(), at_least=False, digits=2):
        self.title = title
        self.unit = unit
        self.values = values
        self.targets = targets
        self.at_least = at_least
        self.digits = digits


def per_gb(s):
    return s["cpu_s"] / s["bytes"] * 1e9


def gb_per_s(s):
    return s["bytes_per_s"] / 1e9


def cpu_us(s):
    return s["cpu_s"] / s["requests"] * 1e6


def key(name, scale=1.0):
    return lambda s: s[name] * scale


def same(scenario, metric, columns=("klamm", "kafka", "floor")):
    return {c: (scenario, metric) for c in columns}


def durable(metric, disk_metric):
    return {"klamm": ("durable-1", metric), "kafka": ("durable-1", metric),
            "fdatasync": ("durable-1", disk_metric)}


def cpu_ms_of_each(name):
    """CPU time of one of `name` in milliseconds."""
    return lambda s: s["cpu_s"] / s[name] * 1e3


PAIR = ("klamm", "kafka")
BETTER = [("kafka", 1)]


def commit_rows(scenario, title):
    return [
        Row(f"{title}: broker CPU", "µs/commit", same(scenario, cpu_us, PAIR), BETTER, digits=1),
        Row("the same: rate", "commits/s", same(scenario, key("requests_per_s"), PAIR), BETTER,
            at_least=True, digits=0),
        Row("the same: p50", "µs", dict(same(scenario, key("p50_us"), PAIR),
                                        fdatasync=("durable-1", key("p50_us"))), BETTER, digits=0),
        Row("the same: p99", "µs", dict(same(scenario, key("p99_us"), PAIR),
                                        fdatasync=("durable-1", key("p99_us"))), BETTER, digits=0),
    ]


def rebalance_rows():
    def row(title, metric, targets=BETTER):
        return Row(title, "ms", same("rebalance", metric, PAIR), targets, digits=1)
    rows = [row("Rebalance of 100 members: broker CPU of each", cpu_ms_of_each("rounds"))]
    for event, words in (("join", "a member's join"), ("leave", "a member's leave"),
                         ("death", "the end of a dead member's session")):
        rows.append(row(f"from {words} until all are assigned: p50",
                        key(event + "_p50_us", 0.001)))
        rows.append(row("the same: p99", key(event + "_p99_us", 0.001)))
    return rows


def metadata_rows():
    rows = [Row("Creating 10,000 topics", "s", same("topics", key("seconds"), PAIR), BETTER,
                digits=1),
            Row("the same: broker CPU", "s", same("topics", key("cpu_s"), PAIR), BETTER,
                digits=1),
            Row("the same: resident memory then", "MiB",
                same("topics", key("rss_kib", 1 / 1024), PAIR), BETTER, digits=1)]
    for scenario, title in (("metadata-all", "Metadata of 10,000 topics, all of them"),
                            ("metadata-named", "Metadata of 10 among 10,000 topics")):
        rows.append(Row(f"{title}: broker CPU", "µs/request", same(scenario, cpu_us, PAIR),
                        BETTER, digits=1))
        rows.append(Row("the same: p50", "µs", same(scenario, key("p50_us"), PAIR), BETTER,
                        digits=0))
        rows.append(Row("the same: p99", "µs", same(scenario, key("p99_us"), PAIR), BETTER,
                        digits=0))
    return rows


def member_rows():
    def row(title, unit, metric, targets=(), digits=0):
        return Row(title, unit, {"klamm": ("members", metric), "kafka": ("members", metric)},
                   targets, digits=digits)
    return [
        row("10,000 groups of 10 members: resident memory of each member", "bytes",
            key("member_bytes"), [(None, 1024)]),
        row("the same: CPU ticks (10 ms) in 10 s, nobody says anything", "ticks",
            key("idle_ticks"), [(None, 0)]),
        row("the same: exec after kill -9 to all groups loaded", "ms", key("loaded_ms"),
            [(None, 1000)]),
    ]


def partition_rows():
    def rows(count, words, targets):
        name = f"partitions-{count}"

        def row(title, unit, metric, goals=(), digits=1):
            return Row(title, unit, same(name, metric, PAIR), goals, digits=digits)
        return [
            row(f"{words} partitions, 1,000 a topic: broker CPU of creating 1,000", "s",
                key("create_cpu_s_per_1000"), digits=3),
            row("the same: until all are created", "s", key("create_s")),
            row("a record to each: until all are acknowledged", "s", key("write_s"), targets),
            row("the same: broker CPU", "s", key("write_cpu_s"), targets),
            row("at rest: growth of resident memory since the start, each", "bytes",
                key("partition_bytes"), [(None, 5 * 1024)], 0),
            row("at rest: CPU ticks (10 ms) in 10 s", "ticks", key("idle_ticks"), [(None, 0)], 0),
            row("clean stop", "s", key("stop_s"), targets),
            row("start until served", "s", key("restart_s"), targets),
            row("the same: broker CPU", "s", key("restart_cpu_s"), targets),
        ]
    return rows(10_000, "10,000", BETTER) + rows(100_000, "100,000", ())


def journal_rows():
    rows = []
    for n in (1, 10, 100, 1000):
        name = f"journal-{n}"
        rows += [Row(f"Durable acks, 64 requests in flight, {n:,} partition{'s' if n > 1 else ''}"
                     " (Kafka: page cache): rate", "requests/s",
                     same(name, key("requests_per_s"), PAIR), digits=0),
                 Row("the same: broker CPU", "µs/request", same(name, cpu_us, PAIR), digits=1),
                 Row("the same: p50", "µs", same(name, key("p50_us"), PAIR), digits=0),
                 Row("the same: p99", "µs", same(name, key("p99_us"), PAIR), digits=0)]
    return rows + [
        Row("1,000 partitions against 1: rate", "x", same("journal-ratio", key("rate"), PAIR),
            [(None, 0.75)], at_least=True),
        Row("the same: broker CPU a request", "x", same("journal-ratio", key("cpu"), PAIR),
            [(None, 1.5)])]


def cold_rows():
    def row(title, scenario, metric, targets=(), unit="ms", digits=2):
        return Row(title, unit, same(scenario, metric, PAIR), targets, digits=digits)
    rows = [row("Tail at 1,000/s, durable (Kafka: page cache), nobody reads old data: p50",
                "cold-none", key("p50_us", 0.001)),
            row("the same: p99", "cold-none", key("p99_us", 0.001))]
    for scenario, words in (("cold-1m", "1 MiB"), ("cold-50m", "50 MiB")):
        rows += [
            row(f"Tail while one reads old data, {words} a fetch: p50", scenario,
                key("p50_us", 0.001)),
            row("the same: p99", scenario, key("p99_us", 0.001)),
            row("the same: p99 against nobody", scenario + "-ratio", key("p99_us"), [(None, 2)],
                unit="x"),
            row("the reader of old data", scenario + "-reader", key("bytes_per_s", 1e-6),
                unit="MB/s", digits=0)]
    return rows


def restart_rows():
    def row(title, unit, metric, digits=0):
        return Row(title, unit, same("restart", metric, PAIR), BETTER, digits=digits)
    return [row("Clean restart with 10,000 partitions: exec to first acknowledged record", "ms",
                key("acked_ms")),
            row("the same: until all are led", "ms", key("led_ms")),
            row("the same: broker CPU until then", "s", key("cpu_s"), digits=2),
            row("the clean stop before", "ms", key("stop_ms"))]


def scan_rows():
    def row(title, unit, metric, targets=(), at_least=False, digits=2):
        return Row(title, unit, same("scan", metric, PAIR), targets, at_least=at_least, digits=digits)
    return [row("Start after a crash that reads the whole log again, 4 partitions: log a CPU second, less"
                " what a clean start costs", "GB/CPU s", key("gb_per_cpu_s"), [("kafka", 1)], True),
            row("the same: until served", "s", key("start_s")),
            row("the same after a clean stop", "s", key("clean_start_s"))]


ROWS = [
    Row("Produce, 1 KiB records in 120 KiB batches, page-cache acks: broker CPU", "s/GB",
        same("produce", per_gb), [("floor", 1.5), ("kafka", 1 / 3)]),
    Row("the same: throughput", "GB/s", same("produce", gb_per_s)),
    Row("Fetch of the same, hot, 8 batches each: broker CPU", "s/GB",
        same("fetch", per_gb), [("floor", 1.5), ("kafka", 1 / 2)], digits=3),
    Row("the same: throughput", "GB/s", same("fetch", gb_per_s)),
    Row("Fetch of the same, hot, 1 batch each: broker CPU", "s/GB",
        same("fetch-1", per_gb), [("floor", 1.5), ("kafka", 1 / 2)], digits=3),
    Row("the same: throughput", "GB/s", same("fetch-1", gb_per_s)),
    Row("One-record requests, 1 connection, page-cache acks: broker CPU", "µs/request",
        same("small-1", cpu_us), [("kafka", 1 / 4)], digits=1),
    Row("the same, where idle cores may halt", "µs/request", same("small-1-halting", cpu_us),
        digits=1),
    Row("the same: p50", "µs", same("small-1-halting", key("p50_us")), digits=0),
    Row("the same: p99", "µs", same("small-1-halting", key("p99_us")), digits=0),
    Row("One-record requests, 32 connections, 8 partitions: broker CPU", "µs/request",
        same("small-32", cpu_us), [("kafka", 1 / 4)], digits=1),
    Row("the same: rate", "requests/s", same("small-32", key("requests_per_s")), digits=0),
    Row("the same: p99", "µs", same("small-32", key("p99_us")), digits=0),
    Row("Durable acks, 1 connection (Kafka: flush.messages=1): p50", "µs",
        durable(key("p50_us"), key("p50_us")), [("fdatasync", 2)], digits=0),
    Row("the same: p99", "µs", durable(key("p99_us"), key("p99_us")), [("fdatasync", 2)],
        digits=0),
    Row("the same against a file written before: p50", "µs",
        durable(key("p50_us"), key("prewritten_p50_us")), digits=0),
    Row("the same against a file written before: p99", "µs",
        durable(key("p99_us"), key("prewritten_p99_us")), digits=0),
    Row("Durable acks, 32 connections, 1 partition (Kafka: page cache): rate", "requests/s",
        same("durable-32", key("requests_per_s"), PAIR), [("kafka", 1)], at_least=True, digits=0),
    Row("the same: p99", "µs", same("durable-32", key("p99_us"), PAIR), digits=0),
    Row("Durable acks, 32 connections, 8 partitions (Kafka: page cache): rate", "requests/s",
        same("durable-32-spread", key("requests_per_s"), PAIR), [("kafka", 1)], at_least=True,
        digits=0),
    Row("the same: p99", "µs", same("durable-32-spread", key("p99_us"), PAIR), digits=0),
    Row("End to end at 500/s, durable (Kafka: page cache): p50", "ms",
        same("latency-500", key("p50_us", 0.001), PAIR)),
    Row("the same: p99", "ms", same("latency-500", key("p99_us", 0.001), PAIR)),
    Row("the same: produce ack p50", "ms", same("latency-500", key("ack_p50_us", 0.001), PAIR)),
    Row("the same: produce ack p99", "ms", same("latency-500", key("ack_p99_us", 0.001), PAIR)),
    Row("End to end at 2,000/s, durable (Kafka: page cache): p50", "ms",
        same("latency-2000", key("p50_us", 0.001), PAIR)),
    Row("the same: p99", "ms", same("latency-2000", key("p99_us", 0.001), PAIR)),
    Row("the same: produce ack p50", "ms", same("latency-2000", key("ack_p50_us", 0.001), PAIR)),
    Row("the same: produce ack p99", "ms", same("latency-2000", key("ack_p99_us", 0.001), PAIR)),
    *commit_rows("commit-1", "Commits of a group, 1 connection, durable (Kafka: page cache)"),
    *commit_rows("commit-32", "Commits of a group, 32 connections, durable (Kafka: page cache)"),
    *commit_rows("commit-1000", "Commits of 1,000 groups, 32 connections, durable "
                                "(Kafka: page cache)"),
    *rebalance_rows(),
    *metadata_rows(),
    *partition_rows(),
    *member_rows(),
    Row("Exec to first acknowledged record, empty directory", "ms",
        same("start", key("acked_ms"), PAIR), [(None, 50)], digits=1),
    Row("Fork to the address of a broker in memory (--ephemeral)", "ms",
        same("ephemeral", key("ready_ms"), PAIR), [(None, 50)], digits=1),
    Row("Idle: resident memory", "MiB", same("idle", key("rss_kib", 1 / 1024), PAIR),
        [(None, 12)], digits=1),
    Row("Idle: CPU ticks (10 ms) in 10 s", "ticks", same("idle", key("idle_ticks"), PAIR),
        [(None, 0)], digits=0),
    Row("10,000 idle connections: resident memory of each", "bytes",
        same("idle", key("conn_bytes"), PAIR), [(None, 2048)], digits=0),
    *journal_rows(),
    Row("Compaction of a log of which nothing was compacted", "MB/CPU s",
        same("compact", key("mb_per_cpu_s"), PAIR), [("kafka", 1)], digits=0, at_least=True),
    *cold_rows(),
    *restart_rows(),
    *scan_rows(),
]


def by_round(samples, column, value):
    """The column's figures of one row, by round (several of one round: their median)."""
    scenario, metric = value
    rounds = {}
    for s in samples:
        if s["scenario"] == scenario and s["target"] == column:
            rounds.setdefault(s["round"], []).append(metric(s))
    return {number: statistics.median(figures) for number, figures in rounds.items()}


def ratio(mine, others):
    """Median over the rounds that have both; None when there is none."""
    ratios = [mine[n] / others[n] for n in mine if others.get(n)]
    return statistics.median(ratios) if ratios else None


def show(figure, digits):
    return "-" if figure is None else f"{figure:,.{digits}f}"


def median_of(figures):
    return statistics.median(figures.values()) if figures else None


def judge(row, mine, columns):
    """The targets of a row in words, and whether all are met (None: no klamm figure)."""
    words, verdicts = [], []
    for column, limit in row.targets:
        sign = "≥" if row.at_least else "≤"
        if column is None:
            words.append(f"{sign} {limit:g}")
            got = median_of(mine)
        else:
            got = ratio(mine, columns[column])
            words.append(f"{sign} {limit:.2g}x {column}" + (f" (is {got:.2f}x)" if got else ""))
        if got is None:
            verdicts.append(None)
        else:
            verdicts.append(got >= limit if row.at_least else got <= limit)
    return ", ".join(words), verdicts


def verdict_word(verdicts):
    if not verdicts:
        return ""
    if None in verdicts:
        return "no figure"
    return "met" if all(verdicts) else "**missed**"


def table(samples):
    lines = ["| what | unit | Klamm | Kafka | floor / fdatasync | target for Klamm | |",
             "| --- | --- | ---: | ---: | ---: | --- | --- |"]
    for row in ROWS:
        columns = {c: by_round(samples, c, v) for c, v in row.values.items()}
        if not any(columns[c] for c in columns if c != "fdatasync"):
            continue  # its scenario was not asked for
        mine = columns["klamm"]
        words, verdicts = judge(row, mine, columns)
        base = median_of(columns.get("floor") or columns.get("fdatasync") or {})
        lines.append("| " + " | ".join([
            row.title, row.unit, show(median_of(mine), row.digits),
            show(median_of(columns["kafka"]), row.digits), show(base, row.digits), words,
            verdict_word(verdicts)]) + " |")
    return "\n".join(lines)


def heading(about):
    size = f", {about['klamm_bytes'] / 1e6:.1f} MB" if about["klamm_bytes"] else ""
    busy = about["busy_most"]
    lines = [
        f"{about['date']}; {about['cpu']}, {about['cores']} cores, {about['memory_gib']} GiB; "
        f"Linux {about['kernel']}, {about['file_system']}; Klamm {about['klamm']}{size}; "
        f"Apache Kafka 4.4.0 on {about['java']}; medians of {about['rounds']} "
        f"round{'s' if about['rounds'] != 1 else ''}, {about['minutes']} minutes."]
    if busy > BUSY_SHARE:
        lines.append(f"Others kept up to {busy:.0%} of the machine busy between the rounds.")
    return " ".join(lines)


def write(results, about, bench):
    parts = [heading(about), table(bench.samples)]
    if bench.notes:
        parts.append("\n".join(f"Note: {n}." for n in bench.notes))
    if bench.errors:
        parts.append("Did not run:\n\n" + "\n".join(f"- {e}" for e in bench.errors))
    text = "\n\n".join(parts) + "\n"
    results.mkdir(parents=True, exist_ok=True)
    (results / "latest.md").write_text(text)
    (results / "latest.json").write_text(json.dumps(
        {"about": about, "notes": bench.notes, "errors": bench.errors, "samples": bench.samples},
        indent=1) + "\n")
    return text


def update_readme(readme, results):
    text = readme.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        print(f"{readme} lacks the lines {BEGIN} and {END}")
        return 1
    latest = (results / "latest.md").read_text()
    readme.write_text(f"{before}{BEGIN}\n{latest}{END}{after}")
    return 0
