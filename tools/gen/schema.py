# SPDX-License-Identifier: Apache-2.0
"""Reads schema/api/*.api and schema/records/*.rec (the form is told in schema/README.md).

Knows the text form and checks that a table makes sense; knows nothing of C.
"""

import os
import re

KINDS = ("bool", "int8", "int16", "uint16", "int32", "uint32", "int64", "float64",
         "string", "uuid", "bytes", "records")
NULLABLE_KINDS = ("string", "bytes", "records")
TAG_OURS_MIN = 10000  # tagged fields from here on are Klamm's own, never Kafka's


class SchemaError(Exception):
    pass


class Field:
    """One line of a struct. Version ranges are (first, last), both inclusive."""

    def __init__(self):
        self.name = ""
        self.kind = ""           # one of KINDS, or the name of a struct
        self.is_array = False
        self.versions = None
        self.nullable = None     # None or a range
        self.tag = None
        self.is_key = False
        self.is_ignorable = False
        self.is_plain = False    # never in the compact form, whatever the version
        self.default = None      # text as written, None for the zero of the type
        self.struct = None       # the Struct, when the kind names one

    @property
    def is_struct(self):
        return self.struct is not None


class Struct:
    def __init__(self, name, versions):
        self.name = name
        self.versions = versions
        self.fields = []

    def plain_fields(self):
        return [f for f in self.fields if f.tag is None]

    def tagged_fields(self):
        return sorted((f for f in self.fields if f.tag is not None), key=lambda f: f.tag)


class Message:
    """A request, a response, a header or a record: `root` and the structs it is made of."""

    def __init__(self, name, versions, flexible_from):
        self.name = name
        self.versions = versions
        self.flexible_from = flexible_from   # None: no version is flexible
        self.root = Struct(name, versions)
        self.structs = {}                    # by name, in order of appearance, without the root

    def is_flexible(self, version):
        return self.flexible_from is not None and version >= self.flexible_from

    def in_order(self):
        """All structs, each after those it contains."""
        done, out, open_names = set(), [], set()

        def visit(struct):
            if struct.name in done:
                return
            if struct.name in open_names:
                raise SchemaError(f"{self.name}: {struct.name} contains itself")
            open_names.add(struct.name)
            for field in struct.fields:
                if field.is_struct:
                    visit(field.struct)
            done.add(struct.name)
            out.append(struct)

        visit(self.root)
        unused = set(self.structs) - done
        if unused:
            raise SchemaError(f"{self.name}: never used: {', '.join(sorted(unused))}")
        return out


class Api:
    def __init__(self, key, name):
        self.key = key
        self.name = name
        self.listeners = []
        self.announce = None              # range told to clients, when wider than what is served
        self.is_latest_unstable = False
        self.request = None
        self.response = None


class File:
    """One table: an api with its two messages, or loose messages, or the records of a log."""

    def __init__(self, path):
        self.path = path
        self.api = None
        self.log = None
        self.messages = []
        self.records = []                 # (type number, Message)


def snake(name):
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def parse_range(text, last):
    """From "3-13", "7" or, when the last version is known, "9+"."""
    m = re.fullmatch(r"(\d+)(?:-(\d+)|(\+))?", text)
    if not m:
        raise SchemaError(f"not a version range: {text}")
    first = int(m.group(1))
    if m.group(3):
        if last is None:
            raise SchemaError(f"an open range has no meaning here: {text}")
        return (first, last)
    return (first, int(m.group(2) or first))


class Parser:
    def __init__(self, path):
        self.file = File(path)
        self.message = None
        self.stack = []                   # (depth, Struct) of what is open

    def parse(self):
        with open(self.file.path, encoding="utf-8") as text:
            for number, line in enumerate(text, 1):
                line = line.rstrip("\n")
                if not line.strip() or line.startswith("#"):
                    continue
                try:
                    self.line(line)
                except SchemaError as e:
                    raise SchemaError(f"{self.file.path}:{number}: {e}") from None
        for message in self.file.messages:
            resolve(message)
            check(message)
        return self.file

    def line(self, line):
        indent = len(line) - len(line.lstrip(" "))
        if indent % 4 or "\t" in line:
            raise SchemaError("indentation is by four spaces")
        words = line.split()
        if indent == 0:
            self.head(words)
        elif self.message is None:
            raise SchemaError("a field outside a message")
        elif words[0] == "struct":
            self.open_struct(indent // 4, words)
        else:
            self.field(indent // 4, words)

    def head(self, words):
        file, word = self.file, words[0]
        if word == "api":
            file.api = Api(int(words[1]), words[2])
        elif word == "log":
            file.log = words[1]
        elif word == "listeners":
            file.api.listeners = words[1:]
        elif word == "announce":
            file.api.announce = parse_range(words[1], None)
        elif words == ["latest", "unstable"]:
            file.api.is_latest_unstable = True
        elif word == "request":
            file.api.request = self.open_message(file.api.name + "Request", words[1:])
        elif word == "response":
            file.api.response = self.open_message(file.api.name + "Response", words[1:])
        elif word == "message":
            self.open_message(words[1], words[2:])
        elif word == "record":
            message = self.open_message(words[2] + "Record", words[3:])
            file.records.append((int(words[1]), message))
        else:
            raise SchemaError(f"unknown word {word}")

    def open_message(self, name, words):
        if len(words) != 3 or words[1] != "flexible":
            raise SchemaError("expected: <versions> flexible <from>+ or none")
        versions = parse_range(words[0], None)
        flexible = None if words[2] == "none" else parse_range(words[2], versions[1])[0]
        self.message = Message(name, versions, flexible)
        self.file.messages.append(self.message)
        self.stack = [(1, self.message.root)]
        return self.message

    def open_struct(self, depth, words):
        if depth != 1:
            raise SchemaError("a common struct stands at the first level")
        versions = self.message.versions
        if len(words) > 2:
            versions = parse_range(words[2].removeprefix("v"), versions[1])
        self.stack = [(2, self.add_struct(words[1], versions))]

    def add_struct(self, name, versions):
        if name in self.message.structs or name == self.message.name:
            raise SchemaError(f"struct {name} is there already")
        self.message.structs[name] = Struct(name, versions)
        return self.message.structs[name]

    def field(self, depth, words):
        while self.stack[-1][0] > depth:
            self.stack.pop()
        if self.stack[-1][0] < depth:
            # One level deeper: these are the fields of the struct that the last line named.
            owner = self.stack[-1][1]
            last = owner.fields[-1] if owner.fields else None
            if self.stack[-1][0] + 1 != depth or last is None or last.kind in KINDS:
                raise SchemaError("indented below something that is no struct")
            self.stack.append((depth, self.add_struct(last.kind, last.versions)))
        struct = self.stack[-1][1]
        field = parse_field(words, struct.versions, self.message.versions[1])
        if any(f.name == field.name for f in struct.fields):
            raise SchemaError(f"{field.name} is there already")
        struct.fields.append(field)


def parse_field(words, parent, last):
    """Name, type, versions if not those of the struct, attributes, default."""
    field = Field()
    field.name = words[0]
    m = re.fullmatch(r"(\[\])?(\w+)(\?(?:v(\d+(?:-\d+|\+)?))?)?", words[1])
    if not m:
        raise SchemaError(f"not a type: {words[1]}")
    field.is_array = m.group(1) is not None
    field.kind = m.group(2)
    rest = words[2:]
    field.versions = parent
    if rest and re.fullmatch(r"v\d.*", rest[0]):
        field.versions = parse_range(rest.pop(0)[1:], last)
    if m.group(3):
        field.nullable = parse_range(m.group(4), last) if m.group(4) else field.versions
    while rest:
        word = rest.pop(0)
        if word == "tag":
            field.tag = int(rest.pop(0))
        elif word == "key":
            field.is_key = True
        elif word == "ignorable":
            field.is_ignorable = True
        elif word == "plain":
            field.is_plain = True
        elif word == "=":
            field.default = " ".join(rest)
            rest = []
        else:
            raise SchemaError(f"unknown attribute {word}")
    return field


def resolve(message):
    for struct in [message.root] + list(message.structs.values()):
        for field in struct.fields:
            if field.kind not in KINDS:
                if field.kind not in message.structs:
                    raise SchemaError(f"{message.name}: no struct {field.kind}")
                field.struct = message.structs[field.kind]
    message.in_order()


def within(inner, outer):
    return outer[0] <= inner[0] <= inner[1] <= outer[1]


def check(message):
    for struct in [message.root] + list(message.structs.values()):
        for field in struct.fields:
            where = f"{message.name}.{struct.name}.{field.name}"
            if not within(field.versions, struct.versions):
                raise SchemaError(f"{where}: versions outside those of its struct")
            if field.nullable and not within(field.nullable, field.versions):
                raise SchemaError(f"{where}: null outside its versions")
            may_be_null = field.is_array or field.is_struct or field.kind in NULLABLE_KINDS
            if field.nullable and not may_be_null:
                raise SchemaError(f"{where}: a number cannot be null")
            if field.default == "null" and not field.nullable:
                raise SchemaError(f"{where}: default null, but never nullable")
            is_pointer = field.is_struct and not field.is_array and field.nullable
            if is_pointer and field.default != "null":
                raise SchemaError(f"{where}: a nullable struct has the default null")
            if field.is_array and field.kind in ("bytes", "records"):
                raise SchemaError(f"{where}: no arrays of {field.kind}")
            if field.tag is not None and not message.is_flexible(field.versions[0]):
                raise SchemaError(f"{where}: a tag in a version that is not flexible")
            if field.tag is not None and (field.kind == "records" or holds_records(field)):
                raise SchemaError(f"{where}: records in a tagged field")
        tags = [f.tag for f in struct.fields if f.tag is not None]
        if len(tags) != len(set(tags)):
            raise SchemaError(f"{message.name}.{struct.name}: a tag twice")


def holds_records(field):
    if not field.is_struct:
        return False
    return any(f.kind == "records" or holds_records(f) for f in field.struct.fields)


def load(schema_dir):
    """Every table, sorted by path."""
    files = []
    for folder, ending in (("api", ".api"), ("records", ".rec")):
        path = os.path.join(schema_dir, folder)
        for name in sorted(os.listdir(path)):
            if name.endswith(ending):
                files.append(Parser(os.path.join(path, name)).parse())
    keys = [f.api.key for f in files if f.api]
    if len(keys) != len(set(keys)):
        raise SchemaError("an api key twice")
    return files
