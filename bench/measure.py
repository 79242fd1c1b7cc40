# SPDX-License-Identifier: Apache-2.0
"""What the scripts here share."""
import os, sys, time


def measured(command, **options):
    """Wall and CPU seconds of the command with all its children, and the peak of its largest process in MiB."""
    start = time.monotonic()
    pid = os.posix_spawnp(command[0], command, options.get("env", os.environ),
                          file_actions=[(os.POSIX_SPAWN_OPEN, 1, options["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                                        (os.POSIX_SPAWN_DUP2, 1, 2)])
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        with open(options["log"]) as log:
            sys.exit("%s\nstatus %d of: %s" % (log.read()[-3000:], status, " ".join(command)))
    # ru_maxrss of a waited child counts the largest of it and its own waited children
    return {"wall": time.monotonic() - start, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss / 1024}
