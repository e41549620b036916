"""Tries what a page of the documentation shows, in order.

usage: snippets.py PAGE

Blocks that begin with ```txtpb are model files: dann-compile has to take them.
Blocks that begin with ```sh are commands: all of them run in one bash, in the
current directory, and the first command that fails ends it.
"""

import re
import subprocess
import sys


def main():
    with open(sys.argv[1]) as file:
        text = file.read()
    models = re.findall(r"^```txtpb\n(.*?)^```$", text, re.M | re.S)
    for number, model in enumerate(models):
        path = f"snippet{number}.txtpb"
        with open(path, "w") as file:
            file.write(model)
        print(f"model {number}", flush=True)
        status = subprocess.run(["dann-compile", path, "--emit=object", "-o", "snippet.o"]).returncode
        if status:
            return status
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    if not blocks and not models:
        sys.exit(f"error: {sys.argv[1]} has neither commands nor models")
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-x", "-c", "\n".join(blocks)]
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
