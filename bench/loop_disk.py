# SPDX-License-Identifier: Apache-2.0
"""An ext4 with a journal of its own, in a file: what fdatasync costs depends on whether there is one."""

import contextlib
import os
import pathlib
import subprocess

IMAGE_BYTES = 6 << 30
# No lazy work of the kernel in the background, and blocks that were written stay written.
MKFS_OPTIONS = "nodiscard,lazy_itable_init=0,lazy_journal_init=0"


class LoopError(Exception):
    """The file system could not be made; the message says why."""


def run(*command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise LoopError(f"{' '.join(str(c) for c in command)}: {done.stdout.strip()[-300:]}")
    return done.stdout


def superblock(image):
    """What dumpe2fs says that matters here, in one line."""
    wanted = ("Filesystem features", "Block size", "Total journal size", "Journal features")
    lines = (line.split(":", 1) for line in run("dumpe2fs", "-h", image).splitlines()
             if ":" in line)
    return "; ".join(f"{k}: {' '.join(v.split())}" for k, v in lines if k in wanted)


@contextlib.contextmanager
def mounted(parent):
    """Yields (directory, facts) of a fresh ext4 within the directory `parent`. Needs root.

    The image is written before, past the page cache, and the loop device reads and writes it past
    the page cache too: then the disk below sees what a disk would see."""
    image = pathlib.Path(parent) / "loop.img"
    directory = pathlib.Path(parent) / "loop"
    directory.mkdir()
    device = None
    is_mounted = False
    try:
        run("dd", "if=/dev/zero", f"of={image}", "bs=4M", f"count={IMAGE_BYTES >> 22}",
            "oflag=direct")
        run("mkfs.ext4", "-q", "-F", "-E", MKFS_OPTIONS, image)
        facts = superblock(image)
        device = run("losetup", "--find", "--show", "--direct-io=on", image).strip()
        run("mount", device, directory)
        is_mounted = True
        yield directory, facts
    finally:
        if is_mounted:
            os.sync()
            run("umount", directory)
        if device is not None:
            run("losetup", "--detach", device)
        image.unlink(missing_ok=True)
