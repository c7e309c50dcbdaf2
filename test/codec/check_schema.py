#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares schema/ with the message definitions inside Kafka's jars.

check_schema.py [schema directory]

schema/api is held against kafka-clients, the records of __consumer_offsets against the group
coordinator. Both sides are laid out version by version, as the list of fields that this version has, and
must be equal in every fact: name, type, null, tag, default, key, ignorable, compact form.
Left out are the tagged fields that are Klamm's own, with what is below them: those with tags from
schema.TAG_OURS_MIN on. They are named at the end.
Every API of the jar must be in schema/api or in LEFT_OUT. Ends with 1 after printing each
difference.
"""

import json
import os
import re
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tools", "gen"))
sys.path.insert(0, os.path.join(ROOT, "test", "kafka"))
import kafka_server as kafka  # noqa: E402
import schema  # noqa: E402

# APIs of Kafka's own quorum, which Klamm does not have.
LEFT_OUT = {52: "Vote", 53: "BeginQuorumEpoch", 54: "EndQuorumEpoch", 58: "Envelope",
            59: "FetchSnapshot", 70: "ControllerRegistration", 73: "AssignReplicasToDirs",
            80: "AddRaftVoter", 81: "RemoveRaftVoter", 82: "UpdateRaftVoter",
            94: "UnregisterController"}

EVER = 32767

klamm_fields = set()


def parse_json(text):
    """Kafka's definitions have comments of whole lines and behind values."""
    lines = []
    for line in text.split("\n"):
        if line.lstrip().startswith("//"):
            continue
        lines.append(re.sub(r'\s//[^"]*$', "", line))
    return json.loads("\n".join(lines))


def parse_versions(text):
    """(first, last), or None for none."""
    if text is None or text == "none":
        return None
    first, _, last = text.rstrip("+").partition("-")
    return (int(first), EVER if text.endswith("+") else int(last or first))


def has(versions, version):
    return versions is not None and versions[0] <= version <= versions[1]


def plain_default(kind, is_array, is_struct, text):
    """One form for a default, however it is written; None when it is the type's own."""
    if is_array or is_struct or kind in ("bytes", "records"):
        # Records are null by themselves; saying so or not is the same.
        return "null" if str(text) == "null" and kind != "records" else None
    if kind == "string":
        text = text if text is None else str(text).strip('"')
        return text or None
    if text is None or kind == "uuid":
        return None
    if kind == "bool":
        return "true" if str(text).lower() == "true" else None
    if kind == "float64":
        return float(text) or None
    return int(str(text), 0) or None


def theirs(definition, version):
    """The fields of one version of a definition of the jar, nested, tagged ones last."""
    common = {s["name"]: s for s in definition.get("commonStructs", [])}
    # What a coordinator writes in its log Kafka names in small letters.
    is_record = definition["type"].startswith("coordinator-")

    def layout(fields):
        out = []
        for f in fields:
            if not has(parse_versions(f["versions"]), version):
                continue
            is_array = f["type"].startswith("[]")
            kind = f["type"].removeprefix("[]")
            nested = f.get("fields") or common.get(kind, {}).get("fields")
            tagged = has(parse_versions(f.get("taggedVersions")), version)
            out.append({
                "name": f["name"][0].upper() + f["name"][1:] if is_record else f["name"],
                "type": f["type"],
                "null": has(parse_versions(f.get("nullableVersions")), version),
                "tag": f["tag"] if tagged else None,
                "key": f.get("mapKey", False), "ignorable": f.get("ignorable", False),
                "plain": f.get("flexibleVersions") == "none",
                "default": plain_default(kind, is_array, nested is not None, f.get("default")),
                "fields": None if nested is None else layout(nested)})
        return sorted(out, key=lambda f: -1 if f["tag"] is None else f["tag"])

    return layout(definition["fields"])


def ours(message, version):
    def layout(struct):
        out = []
        for f in struct.plain_fields() + struct.tagged_fields():
            if not has(f.versions, version):
                continue
            if (f.tag or 0) >= schema.TAG_OURS_MIN:
                klamm_fields.add(f"{message.name}.{f.name}")
                continue
            out.append({
                "name": f.name, "type": ("[]" if f.is_array else "") + f.kind,
                "null": has(f.nullable, version), "tag": f.tag, "key": f.is_key,
                "ignorable": f.is_ignorable, "plain": f.is_plain,
                "default": plain_default(f.kind, f.is_array, f.is_struct, f.default),
                "fields": layout(f.struct) if f.is_struct else None})
        return out

    return layout(message.root)


class Comparison:
    def __init__(self):
        self.problems = []
        self.messages = 0
        self.versions = 0
        self.fields = 0

    def expect(self, where, what, a, b):
        if a != b:
            self.problems.append(f"{where}: {what}: {a} here, {b} in Kafka")

    def compare_fields(self, where, here, there):
        self.expect(where, "fields", [f["name"] for f in here], [f["name"] for f in there])
        by_name = {f["name"]: f for f in there}
        for f in here:
            other = by_name.get(f["name"])
            if other is None:
                continue
            self.fields += 1
            place = f"{where}.{f['name']}"
            for fact in f:
                if fact != "fields":
                    self.expect(place, fact, f[fact], other[fact])
            if (f["fields"] is None) != (other["fields"] is None):
                self.problems.append(f"{place}: a struct on one side only")
            elif f["fields"] is not None:
                self.compare_fields(place, f["fields"], other["fields"])

    def compare_message(self, message, definition):
        name = definition["name"]
        self.messages += 1
        self.expect(name, "name", message.name, name)
        versions = parse_versions(definition["validVersions"])
        self.expect(name, "versions", message.versions, versions)
        flexible = parse_versions(definition["flexibleVersions"])
        for version in range(versions[0], versions[1] + 1):
            self.versions += 1
            where = f"{name} v{version}"
            self.expect(where, "flexible", message.is_flexible(version), has(flexible, version))
            self.compare_fields(where, ours(message, version), theirs(definition, version))

    def compare_record_key(self, message, definition, legacy):
        """The version we give a key is what Kafka calls its kind: the int16 before its fields."""
        self.messages += 1
        kinds = ((legacy or definition)["apiKey"], definition["apiKey"])
        self.expect(message.name, "kinds", message.versions, kinds)
        for kind in range(kinds[0], kinds[1] + 1):
            self.versions += 1
            there = legacy if legacy and kind == legacy["apiKey"] else definition
            self.compare_fields(f"{message.name} kind {kind}", ours(message, kind),
                                theirs(there, parse_versions(there["validVersions"])[0]))

    def compare_api(self, api, request, response):
        self.expect(api.name, "listeners", api.listeners, request["listeners"])
        self.expect(api.name, "unstable", api.is_latest_unstable,
                    request.get("latestVersionUnstable", False))
        self.compare_message(api.request, request)
        self.compare_message(api.response, response)


def read_jars():
    """All definitions by name; the class path of test/kafka holds the jars. Kafka's TopicRecord of
    its metadata log is KraftTopic here: we have records of our own by such names."""
    found = {}
    for name in ("kafka-clients", "kafka-group-coordinator", "kafka-metadata"):
        name = f"{name}-{kafka.VERSION}.jar"
        jars = [p for p in kafka.classpath().split(":") if os.path.basename(p) == name]
        if not jars:
            sys.exit(f"check_schema: no {name} on the class path")
        with zipfile.ZipFile(jars[0]) as jar:
            for entry in jar.namelist():
                if entry.startswith(("common/message/", "common/metadata/")) and entry.endswith(".json"):
                    definition = parse_json(jar.read(entry).decode())
                    if definition["type"] == "metadata":
                        definition["name"] = "Kraft" + definition["name"].removesuffix("Record")
                    found[definition["name"]] = definition
    return found


def main():
    definitions = read_jars()
    files = schema.load(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "schema"))
    comparison = Comparison()
    apis = {f.api.key: f.api for f in files if f.api}
    live = {}
    for definition in definitions.values():
        if definition["type"] == "request" and definition["validVersions"] != "none":
            live[definition["apiKey"]] = definition["name"].removesuffix("Request")
    comparison.expect("apis", "keys", sorted(list(apis) + list(LEFT_OUT)), sorted(live))
    for key, api in apis.items():
        comparison.expect(f"api {key}", "name", api.name, live.get(key))
        if live.get(key) == api.name:
            comparison.compare_api(api, definitions[api.name + "Request"],
                                   definitions[api.name + "Response"])
    for file in files:
        if file.api is None and file.log is None:
            for message in file.messages:
                definition = definitions[message.name]
                if definition["type"] == "coordinator-key":
                    comparison.compare_record_key(message, definition,
                                                  definitions.get("Legacy" + message.name))
                else:
                    comparison.compare_message(message, definition)
    print("\n".join(comparison.problems), end="\n" if comparison.problems else "")
    print(f"schema: {len(apis)} APIs, {comparison.messages} messages in {comparison.versions} "
          f"versions, {comparison.fields} fields compared with Kafka {kafka.VERSION}: "
          f"{len(comparison.problems)} differences; Klamm's own: "
          f"{', '.join(sorted(klamm_fields)) or 'none'}")
    sys.exit(1 if comparison.problems or comparison.fields == 0 else 0)


if __name__ == "__main__":
    try:
        main()
    except (schema.SchemaError, kafka.KafkaError) as e:
        sys.exit(f"check_schema: {e}")
