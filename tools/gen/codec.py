#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes C structs and the codec's tables from schema/api and schema/records.

codec.py --schema schema --out build/gen [--list-outputs]

One header per table file, and the tables themselves in wire/messages.c and wire/api_table.c
(the layout of the tables: src/wire/message.h). Standard library only.
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import schema  # noqa: E402
from schema import snake  # noqa: E402

C_WORDS = set("""auto bool break case char const continue default do double else enum extern
float for goto if inline int long register restrict return short signed sizeof static struct
switch typedef union unsigned void volatile while""".split())

C_TYPES = {"bool": "bool", "int8": "int8_t", "int16": "int16_t", "uint16": "uint16_t",
           "int32": "int32_t", "uint32": "uint32_t", "int64": "int64_t", "float64": "double",
           "string": "struct wire_str", "uuid": "struct uuid", "bytes": "struct wire_bytes",
           "records": "struct wire_records"}

ARRAY_TYPES = {"int8": "wire_i8_array", "int16": "wire_i16_array", "int32": "wire_i32_array",
               "int64": "wire_i64_array", "string": "wire_str_array", "uuid": "wire_uuid_array"}

KIND_NAMES = {"bool": "WIRE_BOOL", "int8": "WIRE_I8", "int16": "WIRE_I16", "uint16": "WIRE_U16",
              "int32": "WIRE_I32", "uint32": "WIRE_U32", "int64": "WIRE_I64", "float64": "WIRE_F64",
              "string": "WIRE_STR", "uuid": "WIRE_UUID", "bytes": "WIRE_BYTES",
              "records": "WIRE_RECORDS"}

FIXED_SIZES = {"bool": 1, "int8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8,
               "float64": 8, "uuid": 16}

NO_VERSION = (1, 0)


def struct_name(message, struct):
    """The C name: that of the message in front, but not twice."""
    owner, name = snake(message.name), snake(struct.name)
    if struct is message.root:
        return owner
    return name if name.startswith(owner + "_") else f"{owner}_{name}"


def member_name(field):
    name = snake(field.name)
    return name + "_" if name in C_WORDS else name


def is_pointer(field):
    return field.is_struct and not field.is_array and field.nullable is not None


def member_type(message, field):
    if field.is_struct:
        name = f"struct {struct_name(message, field.struct)}"
        if field.is_array:
            return f"{name}_array "
        return f"{name} *" if is_pointer(field) else f"{name} "
    if field.is_array:
        return f"struct {ARRAY_TYPES[field.kind]} "
    return C_TYPES[field.kind] + " "


def size_min(message, struct, version):
    """The least number of bytes that this struct takes in this version."""
    flexible = message.is_flexible(version)
    total = 1 if flexible else 0          # the count of tagged fields
    for field in struct.plain_fields():
        if field.versions[0] <= version <= field.versions[1]:
            compact = flexible and not field.is_plain
            if field.is_array or field.kind in ("bytes", "records"):
                total += 1 if compact else 4
            elif field.kind == "string":
                total += 1 if compact else 2
            elif is_pointer(field):
                total += 1
            elif field.is_struct:
                total += size_min(message, field.struct, version)
            else:
                total += FIXED_SIZES[field.kind]
    return min(total, 255)


def default_value(message, field):
    """A C initialiser, or None when it is all zero bits."""
    null = field.default == "null"
    if field.is_array:
        return "{NULL, -1}" if null else None
    if field.is_struct:
        return None if is_pointer(field) else struct_defaults(message, field.struct)
    if field.kind == "records":
        return "{NULL, -1, NULL}"         # null unless it is said otherwise, as in Kafka
    if field.kind in ("string", "bytes"):
        if null:
            return "{NULL, -1}"
        if field.default in (None, '""'):
            return None
        return f"{{{field.default}, sizeof({field.default}) - 1}}"
    if field.default in (None, "0", "false"):
        return None
    if field.kind == "int64":
        return f"INT64_C({field.default})"
    if field.default == "-2147483648":
        return "INT32_MIN"
    return field.default


def struct_defaults(message, struct):
    parts = []
    for field in struct.fields:
        value = default_value(message, field)
        if value is not None:
            parts.append(f".{member_name(field)} = {value}")
    return "{" + ", ".join(parts) + "}" if parts else None


def array_structs(message):
    """The structs that stand in arrays."""
    found = set()
    for struct in message.in_order():
        for field in struct.fields:
            if field.is_struct and field.is_array:
                found.add(field.struct.name)
    return found


def comment(message, field):
    notes = []
    if field.versions != message.versions:
        first, last = field.versions
        notes.append(f"v{first}+" if last == message.versions[1] else f"v{first}-{last}")
    if field.nullable:
        notes.append("nullable")
    if field.tag is not None:
        notes.append(f"tag {field.tag}")
    return f" /* {', '.join(notes)} */" if notes else ""


def emit_structs(message, out):
    in_arrays = array_structs(message)
    for struct in message.in_order():
        name = struct_name(message, struct)
        out.append(f"struct {name} {{")
        for field in struct.fields:
            note = comment(message, field)
            out.append(f"    {member_type(message, field)}{member_name(field)};{note}")
        if not struct.fields:
            out.append("    uint8_t nothing;")
        out.append("};")
        out.append("")
        if struct.name in in_arrays:
            out.append(f"struct {name}_array {{")
            out.append(f"    struct {name} *items;")
            out.append("    int32_t count;")
            out.append("};")
            out.append("")


def emit_declarations(message, out):
    for struct in message.in_order():
        out.append(f"extern const struct wire_struct {struct_name(message, struct)}_layout;")
    out.append(f"extern const struct wire_message {snake(message.name)}_message;")
    out.append("")


def record_union(file, out):
    log = snake(file.log)
    out.append(f"enum {log}_record_type {{")
    for number, message in file.records:
        kind = snake(message.name).removesuffix("_record")
        out.append(f"    {log.upper()}_{kind.upper()} = {number},")
    out.append("};")
    out.append("")
    out.append(f"struct {log}_record {{")
    out.append(f"    uint32_t type; /* enum {log}_record_type */")
    out.append("    union {")
    for _, message in file.records:
        name = snake(message.name)
        member = name.removesuffix("_record")
        out.append(f"        struct {name} {member + '_' if member in C_WORDS else member};")
    out.append("    };")
    out.append("};")
    out.append("")
    out.append(f"extern const struct wire_record_set {log}_record_set;")
    out.append("")


def header_name(file):
    base = os.path.splitext(os.path.basename(file.path))[0]
    return f"{base}_records.h" if file.log else f"{base}.h"


def emit_header(file):
    name = header_name(file)
    guard = "GEN_WIRE_" + name.replace(".", "_").upper()
    source = os.path.join(os.path.basename(os.path.dirname(file.path)), os.path.basename(file.path))
    what = f"API {file.api.key}, {file.api.name}" if file.api else "messages"
    out = ["// SPDX-License-Identifier: Apache-2.0",
           f"/* {what}: made from schema/{source} by tools/gen/codec.py. Thread: any. */",
           f"#ifndef {guard}", f"#define {guard}", "", '#include "wire/message.h"', ""]
    for message in file.messages:
        emit_structs(message, out)
    if file.log:
        record_union(file, out)
    for message in file.messages:
        emit_declarations(message, out)
    out.append("#endif")
    return name, out


def field_flags(field):
    flags = []
    if field.is_array:
        flags.append("WIRE_ARRAY")
    if is_pointer(field):
        flags.append("WIRE_POINTER")
    if field.is_ignorable:
        flags.append("WIRE_IGNORABLE")
    if field.is_key:
        flags.append("WIRE_KEY")
    if field.is_plain:
        flags.append("WIRE_PLAIN")
    return " | ".join(flags) or "0"


def emit_struct_table(message, struct, out):
    name = struct_name(message, struct)
    fields = struct.plain_fields() + struct.tagged_fields()
    defaults = struct_defaults(message, struct)
    if defaults:
        out.append(f"static const struct {name} {name}_defaults = {defaults};")
    minimums = [size_min(message, struct, v) if v >= message.versions[0] else 0
                for v in range(message.versions[1] + 1)]
    out.append(f"static const uint8_t {name}_size_min[] = {{{', '.join(map(str, minimums))}}};")
    if fields:
        out.append(f"static const struct wire_field {name}_fields[] = {{")
        for field in fields:
            kind = "WIRE_STRUCT" if field.is_struct else KIND_NAMES[field.kind]
            null = field.nullable or NO_VERSION
            tag = "WIRE_NO_TAG" if field.tag is None else str(field.tag)
            sub = f"&{struct_name(message, field.struct)}_layout" if field.is_struct else "NULL"
            out.append(f"    {{offsetof(struct {name}, {member_name(field)}), {kind}, "
                       f"{field_flags(field)}, {field.versions[0]}, {field.versions[1]}, "
                       f"{null[0]}, {null[1]}, {tag}, {sub}, \"{field.name}\"}},")
        out.append("};")
    out.append(f"const struct wire_struct {name}_layout = {{\"{struct.name}\", "
               f"{'&' + name + '_defaults' if defaults else 'NULL'}, "
               f"{name + '_fields' if fields else 'NULL'}, {name}_size_min, "
               f"sizeof(struct {name}), {len(struct.plain_fields())}, {len(fields)}}};")
    out.append("")


def emit_messages(files):
    out = ["// SPDX-License-Identifier: Apache-2.0",
           "/* The codec's tables: made from schema/ by tools/gen/codec.py. Thread: any. */"]
    out += [f'#include "wire/{header_name(f)}"' for f in files]
    out.append("")
    for file in files:
        for message in file.messages:
            for struct in message.in_order():
                emit_struct_table(message, struct, out)
            name = snake(message.name)
            flexible = message.flexible_from
            if flexible is None:
                flexible = "WIRE_NEVER_FLEXIBLE"
            out.append(f"const struct wire_message {name}_message = {{\"{message.name}\", "
                       f"&{name}_layout, {message.versions[0]}, {message.versions[1]}, "
                       f"{flexible}}};")
            out.append("")
        if file.log:
            emit_record_set(file, out)
    return out


def emit_record_set(file, out):
    log = snake(file.log)
    out.append(f"static const struct wire_message *const {log}_record_messages[] = {{")
    for number, message in file.records:
        out.append(f"    [{number}] = &{snake(message.name)}_message,")
    out.append("};")
    first = snake(file.records[0][1].name).removesuffix("_record")
    count = max(number for number, _ in file.records) + 1
    out.append(f"const struct wire_record_set {log}_record_set = {{\"{file.log}\", "
               f"{log}_record_messages, {count}, offsetof(struct {log}_record, {first}), "
               f"sizeof(struct {log}_record)}};")
    out.append("")


def emit_api_table(files):
    apis = sorted((f.api for f in files if f.api), key=lambda a: a.key)
    out = ["// SPDX-License-Identifier: Apache-2.0",
           "/* The APIs by key: made from schema/api by tools/gen/codec.py. Thread: any. */",
           '#include "wire/api.h"']
    out += [f'#include "wire/{header_name(f)}"' for f in files if f.api]
    out += ["", "const struct wire_api wire_apis[] = {"]
    for api in apis:
        listeners = " | ".join(f"WIRE_LISTENER_{name.upper()}" for name in api.listeners) or "0"
        first = (api.announce or api.request.versions)[0]
        unstable = "true" if api.is_latest_unstable else "false"
        out.append(f"    {{\"{api.name}\", &{snake(api.request.name)}_message, "
                   f"&{snake(api.response.name)}_message, {api.key}, {first}, {listeners}, "
                   f"{unstable}}},")
    out += ["};", "", f"const uint16_t wire_api_count = {len(apis)};"]
    return out


def check_names(files):
    seen = {}
    for file in files:
        for message in file.messages:
            for struct in message.in_order():
                name = struct_name(message, struct)
                if name in seen:
                    raise schema.SchemaError(f"{name}: both in {seen[name]} and {file.path}")
                seen[name] = file.path


def outputs(files):
    made = dict(emit_header(f) for f in files)
    made["messages.c"] = emit_messages(files)
    made["api_table.c"] = emit_api_table(files)
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--schema", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--list-outputs", action="store_true")
    args = parser.parse_args()
    try:
        files = schema.load(args.schema)
        check_names(files)
        made = outputs(files)
    except schema.SchemaError as e:
        sys.exit(f"codec.py: {e}")
    folder = os.path.join(args.out, "wire")
    if args.list_outputs:
        print("\n".join(os.path.join(folder, name) for name in sorted(made)))
        return
    os.makedirs(folder, exist_ok=True)
    for name, lines in made.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as text:
            text.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
