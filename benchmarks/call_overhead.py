"""Prints what a call of a session costs over the code that it calls, as Markdown.

usage: call_overhead.py PROGRAM

PROGRAM is dann_call_overhead. The three kinds of calls take turns; of each, the
median over the repetitions counts. Times are those of the processor: the calls
wait for nothing, and other programs then disturb them little.
"""

import json
import subprocess
import sys

REPETITIONS = 31
GOAL = 2.0  # microseconds


def main() -> None:
    output = subprocess.run(
        [
            sys.argv[1],
            "--benchmark_format=json",
            "--benchmark_enable_random_interleaving=true",
            f"--benchmark_repetitions={REPETITIONS}",
            "--benchmark_min_time=0.05",
            "--benchmark_report_aggregates_only=true",
        ],
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    median = {
        run["run_name"]: run["cpu_time"] / 1000
        for run in json.loads(output)["benchmarks"]
        if run["aggregate_name"] == "median"
    }
    bare = median["generated"]
    print("| call, one sample, one thread | µs | over the generated function |")
    print("| --- | --- | --- |")
    print(f"| the generated function | {bare:.2f} | |")
    for name in ["run", "forward"]:
        over = median[name] - bare
        verdict = "" if over <= GOAL else f", more than {GOAL}"
        print(f"| `Session::{name}` | {median[name]:.2f} | {over:.2f}{verdict} |")


if __name__ == "__main__":
    main()
