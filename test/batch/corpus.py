# SPDX-License-Identifier: Apache-2.0
"""corpus.py OUT_DIR: the golden batches as inputs of fuzz_batch and fuzz_compress.

Each golden file becomes OUT_DIR/batch/NAME (as it is, and with the bytes that say "put length
and checksum right"), OUT_DIR/batch/NAME.records (records under a header of the target's) and,
when it is compressed, OUT_DIR/compress/NAME. The first bytes are what the targets look at.
"""

import pathlib
import sys

HEADER_BYTES = 61
GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "batches"


def main():
    out = pathlib.Path(sys.argv[1])
    for folder in ("batch", "compress"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for path in sorted(GOLDEN.glob("*.txt")):
        lines = path.read_text().splitlines()
        data = bytes.fromhex("".join(x.split()[1] for x in lines if x.startswith("bytes ")))
        codec = data[22] & 7
        name = path.stem
        (out / "batch" / name).write_bytes(b"\x00\x00" + data)
        (out / "batch" / (name + ".right")).write_bytes(b"\x10\x00" + data)
        if codec == 0:
            for how in range(5):
                count = data[60] - 1
                (out / "batch" / f"{name}.records{how}").write_bytes(
                    bytes([0x80 + how, 0, count]) + data[HEADER_BYTES:])
        else:
            (out / "compress" / name).write_bytes(bytes([codec]) + data[HEADER_BYTES:])


main()
