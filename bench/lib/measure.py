# SPDX-License-Identifier: Apache-2.0
"""What one command costs: wall and CPU seconds, and the peak of its anonymous memory."""
import ctypes, os, sys, threading, time

TICK = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36


def children(pid):
    found = []
    try:
        for thread in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, thread)) as file:
                found += [int(child) for child in file.read().split()]
    except OSError:
        pass  # it has just ended
    return found


def family(pid):
    """The process and all that descends from it."""
    found = [pid]
    for each in found:
        found += children(each)
    return found


def tree_cpu(pid):
    """CPU seconds of a family that lives on, with those that ended and were waited for."""
    ticks = 0
    for each in family(pid):
        try:
            with open("/proc/%d/stat" % each) as file:
                ticks += sum(int(value) for value in file.read().rpartition(")")[2].split()[11:15])
        except OSError:
            pass
    return ticks / TICK


def field(path, name):
    """KiB of a line "name: N kB"; 0 for who has ended."""
    try:
        with open(path) as file:
            return sum(int(line.split()[1]) for line in file if line.startswith(name + ":"))
    except OSError:
        return 0


def anonymous(pids):
    """KiB. What a child of fork() still has in common with its parent counts once; that takes longer to find out."""
    if len(pids) == 1:
        return field("/proc/%d/status" % pids[0], "RssAnon")
    return sum(field("/proc/%d/smaps_rollup" % pid, "Pss_Anon") for pid in pids)


class Sampler(threading.Thread):
    """The peak of families' anonymous memory, not page cache, looked at each 10 ms, and each ms at first."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids, self.peak, self.ended = pids, 0, threading.Event()

    def run(self):
        start = time.monotonic()
        while not self.ended.wait(0.001 if time.monotonic() - start < 0.05 else 0.01):
            self.peak = max(self.peak, anonymous([each for pid in self.pids for each in family(pid)]))

    def finish(self):
        self.ended.set()
        self.join()
        return self.peak / 1024


def output_to(log, append):
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
    return [(os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]


def reap(pid):
    """Status of the process and CPU seconds of it and of all that it left behind: they are given to us."""
    cpu, status = 0.0, None
    while True:
        try:
            ended, how, usage = os.wait4(-1 if status is not None else pid, 0 if status is None else os.WNOHANG)
        except ChildProcessError:
            return status, cpu
        if ended == 0:
            return status, cpu
        cpu += usage.ru_utime + usage.ru_stime
        status = how if ended == pid else status


def measured(command, log, env=None, daemon=None, memory=False, accept=(0,), append=True):
    """
    {"wall": s, "cpu": s of it and all its descendants, "peak": MiB if `memory` is asked for}. `daemon` is the pid of a
    family that works for it: what its CPU time grows by counts, and its memory. What the command prints goes to `log`.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = tree_cpu(daemon) if daemon else 0
    start = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ if env is None else env, file_actions=output_to(log, append))
    sampler = Sampler([pid] + ([daemon] if daemon else [])) if memory else None
    if sampler:
        sampler.start()
    status, cpu = reap(pid)
    figures = {"wall": time.monotonic() - start, "cpu": cpu}
    if sampler:
        figures["peak"] = sampler.finish()
    if daemon:
        figures["cpu"] += tree_cpu(daemon) - before
    if os.waitstatus_to_exitcode(status) not in accept:
        with open(log, errors="replace") as file:
            sys.exit("%s\nstatus %d of: %s" % (file.read()[-3000:], os.waitstatus_to_exitcode(status), " ".join(command)))
    return figures


def together(*parts):
    """Of commands one after the other: times add up, the peak is the largest."""
    whole = {key: sum(part[key] for part in parts) for key in ("wall", "cpu")}
    if all("peak" in part for part in parts):
        whole["peak"] = max(part["peak"] for part in parts)
    return whole
