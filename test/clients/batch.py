# SPDX-License-Identifier: Apache-2.0
"""Makes record batches byte by byte, right ones and wrong ones, and bombs for each codec."""

import struct
import time
import zlib

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
NOW_MS = int(time.time() * 1000)
ATTRIBUTES_POS, CRC_POS, HEADER_BYTES = 21, 17, 61


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82f63b78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc_table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def varint(value):
    """Zigzag, as inside records."""
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def record(delta=0, key=None, value=b"value", headers=()):
    def blob(data):
        return varint(-1) if data is None else varint(len(data)) + data
    body = b"\0" + varint(0) + varint(delta) + blob(key) + blob(value) + varint(len(headers))
    for name, data in headers:
        body += blob(name) + blob(data)
    return varint(len(body)) + body


def batch(payload=None, codec=0, count=1, fix_crc=True, **fields):
    """One batch; a field of its header may be given any value."""
    payload = record() if payload is None else payload
    header = {"base_offset": 0, "length": 49 + len(payload), "leader_epoch": -1, "magic": 2,
              "crc": 0, "attributes": codec, "last_offset_delta": count - 1,
              "base_timestamp": NOW_MS, "max_timestamp": NOW_MS, "producer_id": -1,
              "producer_epoch": -1, "base_sequence": -1, "count": count}
    unknown = set(fields) - set(header)
    assert not unknown, unknown
    header.update(fields)
    data = bytearray(struct.pack(">qiibIhiqqqhii", *header.values()) + payload)
    if fix_crc and "crc" not in fields:
        struct.pack_into(">I", data, CRC_POS, crc32c(data[ATTRIBUTES_POS:]))
    return bytes(data)


# ---- reading


class Reader:
    def __init__(self, data):
        self.data = data
        self.pos = 0

    def varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.pos]
            self.pos += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value >> 1 ^ -(value & 1)

    def blob(self):
        size = self.varint()
        if size < 0:
            return None
        self.pos += size
        return self.data[self.pos - size:self.pos]


def records_of(data):
    """(offset, timestamp, key, value) of each record of whole batches without a codec."""
    found = []
    while len(data) >= HEADER_BYTES:
        (base_offset, length, _, magic, crc, attributes, _, base_timestamp, _, _, _, _,
         count) = struct.unpack_from(">qiibIhiqqqhii", data)
        batch_data, data = data[:12 + length], data[12 + length:]
        assert magic == 2 and crc == crc32c(batch_data[ATTRIBUTES_POS:])
        assert attributes & 0x27 == 0, "a codec, or a control batch"
        reader = Reader(batch_data[HEADER_BYTES:])
        for _ in range(count):
            end = reader.varint() + reader.pos
            reader.pos += 1  # its attributes
            timestamp = base_timestamp + reader.varint()
            offset = base_offset + reader.varint()
            found.append((offset, timestamp, reader.blob(), reader.blob()))
            assert reader.varint() == 0 and reader.pos == end
    return found


# ---- bombs: the start of one record that says it is huge, then zeros without end


def huge_record_head(size):
    body = b"\0" + varint(0) + varint(0) + varint(-1) + varint(size)
    return varint(len(body) + size + 1) + body


def gzip_bomb(size):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    chunk = bytes(1 << 20)
    parts = [packer.compress(huge_record_head(size))]
    parts += [packer.compress(chunk) for _ in range(size >> 20)]
    return b"".join(parts) + packer.compress(b"\0") + packer.flush()


def zstd_bomb(size):
    """A raw block with the head, then blocks of 128 KiB that are one repeated byte."""
    head = huge_record_head(size)
    out = bytearray(b"\x28\xb5\x2f\xfd\0\x38" + (len(head) << 3).to_bytes(3, "little") + head)
    run = ((128 << 10) << 3 | 2).to_bytes(3, "little") + b"\0"
    out += run * (size >> 17)
    return bytes(out) + (1 << 3 | 3).to_bytes(3, "little") + b"\0"


def lz4_bomb(size):
    """Blocks of 4 MiB: one literal, one match of all but the last five bytes, five literals."""
    out = bytearray(b"\x04\x22\x4d\x18\x60\x70\x73")
    head = huge_record_head(size)
    out += struct.pack("<I", len(head) | 1 << 31) + head
    left = (4 << 20) - 1 - 5 - 4 - 15
    block = b"\x1f\0\x01\0" + b"\xff" * (left // 255) + bytes([left % 255]) + b"\x50" + bytes(5)
    out += (struct.pack("<I", len(block)) + block) * (size >> 22)
    return bytes(out) + bytes(4)


def snappy_bomb(size):
    """A raw snappy block that says how long it is, in copies of 64 bytes."""
    head = huge_record_head(size)
    total = len(head) + 1 + size
    length = bytearray()
    while total >= 0x80:
        length.append(total & 0x7f | 0x80)
        total >>= 7
    length.append(total)
    literal = bytes([len(head) << 2]) + head + b"\0\0"
    return bytes(length) + literal + b"\xfe\x01\0" * (size // 64)


BOMBS = {GZIP: gzip_bomb, SNAPPY: snappy_bomb, LZ4: lz4_bomb, ZSTD: zstd_bomb}
