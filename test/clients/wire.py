# SPDX-License-Identifier: Apache-2.0
"""Speaks Kafka's protocol byte by byte from the tables of schema/, for tests that need requests
which no client library would send.

    with Wire("127.0.0.1:9092") as wire:
        answer = wire.ask("Metadata", 12, Topics=[{"Name": "t"}])
        answer["Brokers"][0]["Port"]

Messages are dicts by Kafka's field names; what is left out gets its default. It shares the tables
with Klamm, not the code; the tables are held against Kafka's jar by test/codec.
"""

import os
import pathlib
import socket
import struct
import sys
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools" / "gen"))
import schema  # noqa: E402

NUMBERS = {"int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I",
           "int64": ">q", "float64": ">d"}
APIS = {f.api.name: f.api for f in schema.load(ROOT / "schema") if f.api}
ZERO_ID = uuid.UUID(int=0)


class Closed(Exception):
    """The broker closed the connection instead of answering."""


# ---- values


def default_of(field):
    if field.default == "null":
        return None
    if field.is_array:
        return []
    if field.is_struct:
        return {}
    if field.kind == "bool":
        return field.default == "true"
    if field.kind in NUMBERS:
        return float(field.default or 0) if field.kind == "float64" else int(field.default or "0", 0)
    if field.kind == "uuid":
        return ZERO_ID
    if field.kind == "string":
        return (field.default or "").strip('"')
    return b""


def is_pointer(field, version):
    """A struct that may be null: a byte in front says whether it is there."""
    if not field.is_struct or field.is_array or not field.nullable:
        return False
    return field.nullable[0] <= version <= field.nullable[1]


def put_varint(out, value):
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)


class Writer:
    def __init__(self, message, version):
        self.version = version
        self.is_flexible = message.is_flexible(version)
        self.out = bytearray()

    def length(self, n, form, is_plain):
        if self.is_flexible and not is_plain:
            put_varint(self.out, n + 1)
        else:
            self.out += struct.pack(form, n)

    def struct(self, s, value):
        unknown = set(value) - {f.name for f in s.fields}
        if unknown:
            raise KeyError(f"{s.name} has no {unknown}")
        for field in s.plain_fields():
            if field.versions[0] <= self.version <= field.versions[1]:
                self.field(field, value.get(field.name, default_of(field)))
        if self.is_flexible:
            self.tagged(s, value)

    def tagged(self, s, value):
        fields = [f for f in s.tagged_fields()
                  if f.versions[0] <= self.version <= f.versions[1] and f.name in value]
        put_varint(self.out, len(fields))
        for field in fields:
            outer, self.out = self.out, bytearray()
            self.field(field, value[field.name])
            inner, self.out = self.out, outer
            put_varint(self.out, field.tag)
            put_varint(self.out, len(inner))
            self.out += inner

    def field(self, field, value):
        if field.is_array:
            self.length(-1 if value is None else len(value), ">i", field.is_plain)
            for item in value or []:
                self.one(field, item)
        elif is_pointer(field, self.version):
            self.out += b"\xff" if value is None else b"\x01"
            if value is not None:
                self.one(field, value)
        else:
            self.one(field, value)

    def one(self, field, value):
        if field.is_struct:
            self.struct(field.struct, value)
        elif field.kind == "bool":
            self.out.append(1 if value else 0)
        elif field.kind in NUMBERS:
            self.out += struct.pack(NUMBERS[field.kind], value)
        elif field.kind == "uuid":
            self.out += value.bytes
        else:
            data = value.encode() if isinstance(value, str) else value
            form = ">h" if field.kind == "string" else ">i"
            self.length(-1 if data is None else len(data), form, field.is_plain)
            self.out += data or b""


class Reader:
    def __init__(self, message, version, data):
        self.version = version
        self.is_flexible = message.is_flexible(version)
        self.data = data
        self.pos = 0

    def take(self, size):
        if size > len(self.data) - self.pos:
            raise ValueError("the answer is cut short")
        self.pos += size
        return self.data[self.pos - size:self.pos]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                return value
            shift += 7

    def length(self, form, is_plain):
        return self.varint() - 1 if self.is_flexible and not is_plain else self.number(form)

    def struct(self, s):
        value = {}
        for field in s.fields:
            if field.versions[0] <= self.version <= field.versions[1]:
                value[field.name] = self.field(field) if field.tag is None else default_of(field)
        if self.is_flexible:
            tags = {f.tag: f for f in s.tagged_fields()}
            for _ in range(self.varint()):
                tag, size = self.varint(), self.varint()
                end = self.pos + size
                if tag in tags:
                    value[tags[tag].name] = self.field(tags[tag])
                self.pos = end
        return value

    def field(self, field):
        if is_pointer(field, self.version) and self.number(">b") < 0:
            return None
        if not field.is_array:
            return self.one(field)
        count = self.length(">i", field.is_plain)
        return None if count < 0 else [self.one(field) for _ in range(count)]

    def one(self, field):
        if field.is_struct:
            return self.struct(field.struct)
        if field.kind == "bool":
            return self.take(1) != b"\0"
        if field.kind in NUMBERS:
            return self.number(NUMBERS[field.kind])
        if field.kind == "uuid":
            return uuid.UUID(bytes=bytes(self.take(16)))
        size = self.length(">h" if field.kind == "string" else ">i", field.is_plain)
        if size < 0:
            return None
        data = bytes(self.take(size))
        return data.decode() if field.kind == "string" else data


# ---- requests


def encode_request(name, version, correlation_id, fields, client_id="wire"):
    """A whole frame."""
    api = APIS[name]
    body = Writer(api.request, version)
    body.struct(api.request.root, fields)
    return frame(api.key, version, correlation_id, bytes(body.out), body.is_flexible, client_id)


def frame(key, version, correlation_id, body, is_flexible, client_id="wire"):
    name = client_id.encode()
    head = struct.pack(">hhih", key, version, correlation_id, len(name)) + name
    payload = head + (b"\0" if is_flexible else b"") + body
    return struct.pack(">i", len(payload)) + payload


def decode_response(name, version, payload):
    """(correlation id, message) of a frame's payload; every byte must be used."""
    api = APIS[name]
    reader = Reader(api.response, version, payload)
    correlation_id = reader.number(">i")
    if reader.is_flexible and name != "ApiVersions" and reader.varint() != 0:
        raise ValueError("tagged fields in a response header")
    value = reader.struct(api.response.root)
    if reader.pos != len(payload):
        raise ValueError(f"{len(payload) - reader.pos} bytes behind the answer")
    return correlation_id, value


class Wire:
    """One connection."""

    def __init__(self, bootstrap, timeout=30, client_id="wire"):
        host, _, port = bootstrap.rpartition(":")
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client_id = client_id
        self.next_id = 0
        self.begun = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The payload of one frame; Closed when there is none."""
        size = struct.unpack(">i", self.receive_bytes(4))[0]
        return self.receive_bytes(size)

    def receive_bytes(self, size):
        data = bytearray()
        while len(data) < size:
            try:
                chunk = self.socket.recv(size - len(data))
            except ConnectionError as e:
                raise Closed(str(e)) from None
            if not chunk:
                raise Closed(f"after {len(data)} of {size} bytes")
            data += chunk
        return bytes(data)

    def ask(self, api, version, **fields):
        self.begin(api, version, **fields)
        return self.end()

    def begin(self, api, version, **fields):
        """Sends a request whose answer is taken by `end`, for those that wait for others."""
        self.next_id += 1
        self.begun = (api, version)
        self.send(encode_request(api, version, self.next_id, fields, self.client_id))

    def end(self):
        correlation_id, value = decode_response(*self.begun, self.receive())
        if correlation_id != self.next_id:
            raise ValueError(f"answer to {correlation_id}, not to {self.next_id}")
        return value


def versions_of(api):
    """First and last that a broker serves."""
    first, last = APIS[api].request.versions
    return first, last - 1 if APIS[api].is_latest_unstable else last
