"""Fails if the documentation does not fit the repository.

usage: docs.py REPOSITORY

- The README's numbers of ONNX's cases are those of docs/onnx-support.md.
- Commands stand in blocks that begin with ```sh, and pages with such blocks, or with
  model files (```txtpb), are tried by a test through install/snippets.py. Commands
  that no test can run are listed here with the reason.
- Links between pages lead to files that exist, and to headings in them.
"""

import pathlib
import re
import sys


# What a test cannot run, and why: by page, the beginnings of lines.
UNTRIED = {
    "README.md": {
        "scripts/quickstart.sh": "installs packages and builds",
        "scripts/test.sh": "runs all tests",
    },
    "CONTRIBUTING.md": {
        "": "builds, in every way that there is, and runs all tests",
    },
    "docs/command-line.md": {
        "dann-compile tests/e2e/Inputs/adam.txtpb": "two hundred kills; a test does twenty",
    },
    "docs/embedding.md": {
        "cpack -G DEB && apt install": "scripts/test-packages.sh does that in a root of its own",
    },
    "docs/experiments.md": {
        "examples/experiments/run.py": "takes hours; e2e/experiments.test runs a small one",
    },
    "docs/onnx.md": {
        "": "fuzzing has no end; onnx-mutations is its test",
    },
}
COMMAND = re.compile(
    r"(?:dann-compile|dann-opt|cmake|ctest|ninja|cpack|apt|apt-get|lit-22|python3|bash|make"
    r"|g\+\+|cc|\./\w+|(?:scripts|examples|benchmarks|build)/\S+\.(?:sh|py))(?: |$)"
)


def untried_commands(root, page):
    """Commands that stand where no test would run them."""
    name = str(page.relative_to(root))
    allowed = UNTRIED.get(name, {})
    language, fenced = "", False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fence = re.match(r"```(\w*)$", line)
        if fence:
            language, fenced = fence.group(1), not fenced
            continue
        indented = re.match(r"    (\S.*)", line)
        command = line if fenced and language != "sh" else indented and not fenced and indented.group(1)
        if command and COMMAND.match(command) and not any(map(command.startswith, allowed)):
            # Messages begin with the name of a program, too.
            if not re.match(r"\S+: ", command):
                yield f"{page}:{number}: no test runs '{command}': it is in no block ```sh"


def untried_pages(root, pages):
    tests = "\n".join(test.read_text() for test in (root / "tests").rglob("*.test"))
    for page in pages:
        if re.search(r"^```(sh|txtpb)$", page.read_text(), re.M) and not re.search(
            rf"snippets\.py \S*/{re.escape(str(page.relative_to(root)))}\b", tests
        ):
            yield f"{page}: no test tries its commands with snippets.py"


def anchors_of(text):
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


def broken_links(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        file, _, anchor = target.partition("#")
        path = page.parent / file if file else page
        if not path.exists():
            yield f"{page}: the link {target} leads nowhere"
        elif anchor and anchor not in anchors_of(path.read_text()):
            yield f"{page}: {path} has no heading #{anchor}"


def main():
    root = pathlib.Path(sys.argv[1])
    problems = []
    readme = (root / "README.md").read_text()
    table = (root / "docs/onnx-support.md").read_text()
    passed, cases = re.search(r"^\| all \| (\d+) \| (\d+) \|$", table, re.M).groups()
    if f"{passed} of {cases} pass" not in readme.replace("\n", " "):
        problems.append(f"README.md: of ONNX's cases {passed} of {cases} pass")
    pages = sorted(root.glob("*.md")) + sorted(root.glob("[a-z]*/README.md"))
    pages += sorted((root / "docs").rglob("*.md"))
    for page in pages:
        problems += broken_links(page)
        problems += untried_commands(root, page)
    problems += untried_pages(root, pages)
    print("\n".join(problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
