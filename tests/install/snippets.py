"""Runs the commands of a page of the documentation, in order.

usage: snippets.py PAGE

A block of commands begins with ```sh. All blocks run in one bash, in the current
directory, and the first command that fails ends it.
"""

import re
import subprocess
import sys


def main():
    with open(sys.argv[1]) as file:
        blocks = re.findall(r"^```sh\n(.*?)^```$", file.read(), re.M | re.S)
    if not blocks:
        sys.exit(f"error: {sys.argv[1]} has no commands")
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-x", "-c", "\n".join(blocks)]
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
