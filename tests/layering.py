"""Fails if a part of the repository includes what it must not depend on.

usage: layering.py REPOSITORY

The rule is that of docs/architecture.md: tools -> compiler -> {frontend,
passes} -> dialect, and the runtime apart from them. Of the runtime the compiler sees the
public headers and the two files that describe compiled models, examples and
public headers see public headers alone. A quoted include that leads to no part
is an error, too, so that a new directory needs a rule.
"""

import pathlib
import re
import sys

# What the files of a part may include, beside the C++ library.
MAY_INCLUDE = {
    "dialect": {"dialect", "MLIR"},
    "passes": {"passes", "dialect", "MLIR"},
    "frontend": {"frontend", "dialect", "MLIR", "protobuf"},
    "compiler": {
        "compiler", "passes", "frontend", "dialect", "MLIR", "protobuf",
        "public headers", "compiled models",
    },
    "tools": {"tools", "compiler", "passes", "MLIR"},
    "public headers": {"public headers"},
    "runtime": {"runtime", "public headers", "compiled models", "protobuf"},
    "runtime/cli": {"runtime/cli", "runtime", "public headers", "compiled models", "protobuf"},
    "examples": {"public headers"},
    "examples/plugin": {"examples/plugin", "dialect", "MLIR"},
}
# Where an include leads by how it begins; the first that fits counts.
BY_PREFIX = [
    (r"(Dann|OneDnn|Utils)/", "dialect"),
    (r"tools/", "tools"),
    (r"passes/", "passes"),
    (r"frontend/|model\.pb\.h|onnx\.pb\.h", "frontend"),
    (r"compiler/", "compiler"),
    (r"Smooth\w+\.(h|cpp)\.inc", "examples/plugin"),
    (r"dann/", "public headers"),
    (r"model_abi\.h|program\.pb\.h", "compiled models"),
    (r"(mlir|llvm|mlir-c|llvm-c)/", "MLIR"),
    (r"google/protobuf/", "protobuf"),
]
INCLUDE = re.compile(r'^\s*#?\s*include\s+(["<])([^">]+)[">]')
SOURCES = {".h", ".hpp", ".c", ".cpp", ".td"}


def part_of(path):
    """The part that a file belongs to, by its path in the repository."""
    if path.match("*/include/dann/*"):
        return "public headers"
    folder = "/".join(path.parts[:2])
    return folder if folder in MAY_INCLUDE else path.parts[0]


def target_of(root, file, quoted, include):
    """The part that an include leads to; none for other libraries."""
    for pattern, part in BY_PREFIX:
        if re.match(pattern, include):
            return part
    if not quoted:
        return None
    near = [file.parent]
    if file.is_relative_to(root / "runtime/cli"):
        near.append(root / "runtime/src")
    for directory in near:
        if (directory / include).is_file():
            return part_of((directory / include).resolve().relative_to(root))
    return "no part"


def problems_of(root, file):
    part = part_of(file.relative_to(root))
    for number, line in enumerate(file.read_text().splitlines(), 1):
        include = INCLUDE.match(line)
        if not include:
            continue
        target = target_of(root, file, include.group(1) == '"', include.group(2))
        if target and target not in MAY_INCLUDE[part]:
            yield number, f"includes {include.group(2)}: {part} must not depend on {target}"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    failed = False
    for top in sorted({part.split("/")[0] for part in MAY_INCLUDE} - {"public headers"}):
        for file in sorted((root / top).rglob("*")):
            if file.suffix in SOURCES:
                for number, problem in problems_of(root, file):
                    print(f"{file.relative_to(root)}:{number}: {problem}")
                    failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main())
