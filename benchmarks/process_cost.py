"""Runs a command and prints, as a JSON object, what it cost.

usage: process_cost.py COMMAND [ARGUMENT]...

A process of its own, and a small one: the peak memory that the system reports
for a new process is at least that of the process that started it. The
command's output goes to standard error.
"""

import json
import resource
import subprocess
import sys
import time


def main() -> None:
    start = time.perf_counter()
    try:
        status = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
    except OSError as error:
        sys.exit(f"error: {sys.argv[1]}: {error.strerror}")
    seconds = time.perf_counter() - start
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    if status != 0:
        sys.exit(f"error: {' '.join(sys.argv[1:])} failed with status {status}")
    cost = {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_megabytes": usage.ru_maxrss * 1024 / 1e6,
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
