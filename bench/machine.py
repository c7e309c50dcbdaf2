# SPDX-License-Identifier: Apache-2.0
"""What a measurement stands on: the machine, the versions, and how busy others keep it."""

import contextlib
import ctypes
import os
import pathlib
import platform
import signal
import subprocess
import time

PAGE_WARM_CHUNK = b"\0" * (1 << 20)


def first_line(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError:
        return "?"
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "?"


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def file_system(path):
    """Type of the file system that holds `path`."""
    best = ("", "?", "?")
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        device, mount, kind = line.split()[:3]
        inside = str(path) == mount or str(path).startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best[0]):
            best = (mount, kind, device)
    return best[1] + ext4_journal(best[1], best[2])


def ext4_journal(kind, device):
    """Whether an ext4 has a journal: the kernel keeps a directory of statistics for each."""
    if kind != "ext4":
        return ""
    name = pathlib.Path(device).name
    has = any(p.name.rsplit("-", 1)[0] == name for p in pathlib.Path("/proc/fs/jbd2").glob("*"))
    return " with a journal" if has else " without a journal"


def memory_gib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)


def describe(root, build, directory):
    commit = first_line(["git", "-C", str(root), "rev-parse", "--short", "HEAD"])
    changed = subprocess.run(["git", "-C", str(root), "status", "--porcelain", "src", "bench"],
                             stdout=subprocess.PIPE, text=True).stdout.strip()
    klamm = build / "klamm"
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory_gib(), 1),
        "kernel": platform.release(),
        "file_system": file_system(directory),
        "klamm": commit + (" with changes" if changed else ""),
        "klamm_bytes": klamm.stat().st_size if klamm.exists() else None,
        "java": first_line(["java", "-version"]),
    }


def busy_share(seconds=2.0):
    """The share of all cores that was busy during the next `seconds`."""
    def read():
        fields = [int(f) for f in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        return sum(fields[:8]), fields[3] + fields[4]
    total, idle = read()
    time.sleep(seconds)
    total_after, idle_after = read()
    return 1 - (idle_after - idle) / max(1, total_after - total)


def warm_pages(directory, size):
    """Writes and deletes a file, so that the run that follows gets memory that this machine holds
    already: on a virtual machine the first touch of a page costs several times the write."""
    path = pathlib.Path(directory) / "warm"
    with open(path, "wb", buffering=0) as f:
        for _ in range(size // len(PAGE_WARM_CHUNK) + 1):
            f.write(PAGE_WARM_CHUNK)
    path.unlink()


def status_kib(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def thread_read_bytes(pid):
    """What each kind of thread of a process (by name, without its number) made the disk read."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            name = (task / "comm").read_text().strip().rstrip("0123456789").rstrip("-")
            lines = (task / "io").read_text().splitlines()
        except OSError:
            continue  # it has ended meanwhile
        size = next(int(line.split()[1]) for line in lines if line.startswith("read_bytes"))
        found[name] = found.get(name, 0) + size
    return found


def cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def spin_for_ever(core):
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while True:
        pass


@contextlib.contextmanager
def awake_cores():
    """Keeps every core from halting, by loops that run only when nothing else wants to.

    In a virtual machine to wake a halted core costs whoever does it 10 to 20 us of CPU time, and a
    request of one record wakes at least two: that would be most of what is measured."""
    loops = []
    try:
        for core in os.sched_getaffinity(0):
            pid = os.fork()
            if pid == 0:
                spin_for_ever(core)
            loops.append(pid)
        yield
    finally:
        for pid in loops:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
