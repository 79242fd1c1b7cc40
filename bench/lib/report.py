# SPDX-License-Identifier: Apache-2.0
"""Figures as a table with goals, and as TSV."""
import datetime, os, statistics, subprocess, sys

from place import TOP
from workloads import WORKLOADS


def median(rows, workload, who, key):
    values = [figures[key] for work, name, _, figures in rows if (work, name) == (workload, who) and key in figures]
    return statistics.median(values) if values else None


def names(rows, workload):
    """Who did it, in the order of appearance, the floor last."""
    found = list(dict.fromkeys(name for work, name, _, _ in rows if work == workload))
    return sorted(found, key=lambda name: name == "floor")


def spread(rows, workload, who, key):
    values = [figures[key] for work, name, _, figures in rows if (work, name) == (workload, who)]
    return min(values), statistics.median(values), max(values)


def line(rows, workload, who):
    cells = ["%9.3f%9.3f%9.3f" % spread(rows, workload, who, key) for key in ("wall", "cpu")]
    floor = median(rows, workload, "floor", "cpu")
    ratio = "%8.2fx" % (median(rows, workload, who, "cpu") / floor) if floor and who != "floor" else " " * 9
    peak = median(rows, workload, who, "peak")
    return "  %-12s %s  %s %s %8s" % (who[-12:], *cells, ratio, "%.1f" % peak if peak is not None else "")


def verdict(good):
    return "met" if good else "MISSED"


def goals(rows, workload, own, cbuilds, entries):
    """What the goal says of it, as texts."""
    goal = WORKLOADS[workload].goal
    mine = {key: median(rows, workload, own, key) for key in ("wall", "cpu", "peak")}
    floor = median(rows, workload, "floor", "cpu")
    if goal.floor and floor:
        ratio = mine["cpu"] / floor
        yield "%.2fx of the floor's cpu (at most %.1fx): %s" % (ratio, goal.floor, verdict(ratio <= goal.floor))
    peers = [name for name in names(rows, workload) if name not in cbuilds and name != "floor"]
    for key, times in (("wall", goal.ahead), ("cpu", goal.cpu_ahead)):
        if times and peers:
            best = min(peers, key=lambda name: median(rows, workload, name, key))
            ratio = median(rows, workload, best, key) / mine[key]
            yield "%.1fx ahead of %s in %s (%gx): %s" % (ratio, best, key, times, verdict(ratio >= times))
    if goal.wall_ms:
        yield "%.0f ms (at most %d): %s" % (mine["wall"] * 1000, goal.wall_ms, verdict(mine["wall"] * 1000 <= goal.wall_ms))
    if goal.peak and mine["peak"] is not None:
        most = 32 + 64 * entries / 2**20
        yield "%.1f MiB (at most %.1f): %s" % (mine["peak"], most, verdict(mine["peak"] <= most))


def table(rows, cbuilds, entries):
    """Goals are those of the last of `cbuilds`."""
    print("\n%-15s%27s  %27s %9s %8s" % ("", "wall s: min, median, max", "cpu s: min, median, max", "of floor", "peak MiB"))
    for workload, work in WORKLOADS.items():
        who = names(rows, workload)
        if not who:
            continue
        print("%s: %s" % (workload, work.title))
        for name in who:
            print(line(rows, workload, name))
        for text in goals(rows, workload, cbuilds[-1], cbuilds, entries) if cbuilds[-1] in who else ():
            print("    goal: " + text)
    print("\nFloors, cpu s added up:")
    for workload, work in WORKLOADS.items():
        if "floor" in names(rows, workload):
            print("  %s: %s" % (workload, "; ".join(work.floor)))


def origin(*programs):
    """Where figures come from: the command, the machine, the commit."""
    def said(*command):
        return subprocess.run(command, cwd=TOP, capture_output=True, text=True).stdout.partition("\n")[0]

    machine = os.uname()
    yield " ".join(["bench/" + os.path.basename(sys.argv[0]), *sys.argv[1:]])
    yield "commit %s, %s; %d cores, Linux %s %s" % (
        said("git", "describe", "--always", "--dirty", "--abbrev=7"), datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        len(os.sched_getaffinity(0)), machine.release, machine.machine)
    for program in programs:
        yield said(program, "version")


def kept_path():
    """bench/results/DATE-COMMIT-TOOL.tsv"""
    commit = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=7"], cwd=TOP, capture_output=True, text=True).stdout.strip()
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    return os.path.join(TOP, "bench/results", "%s-%s-%s.tsv" % (date, commit or "unknown", os.path.basename(sys.argv[0])))


COLUMNS = (("wall", "wall_s", "%.4f"), ("cpu", "cpu_s", "%.4f"), ("peak", "peak_mib", "%.1f"))


def write_tsv(path, rows, comments):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w") as file:
        file.writelines("# %s\n" % comment for comment in comments)
        file.write("\t".join(["workload", "who", "round", *(column for _, column, _ in COLUMNS)]) + "\n")
        for workload, who, number, figures in rows:
            cells = [form % figures[key] if key in figures else "" for key, _, form in COLUMNS]
            file.write("\t".join([workload, who, str(number + 1), *cells]) + "\n")


def read_tsv(path):
    """(rows, comments) as write_tsv() got them."""
    rows, comments = [], []
    with open(path) as file:
        for line in file:
            if line.startswith("# "):
                comments.append(line[2:].rstrip("\n"))
            elif not line.startswith("workload\t"):
                workload, who, number, *cells = line.rstrip("\n").split("\t")
                figures = {key: float(cell) for (key, _, _), cell in zip(COLUMNS, cells) if cell}
                rows.append((workload, who, int(number) - 1, figures))
    return rows, comments
