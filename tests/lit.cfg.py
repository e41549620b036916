# How lit runs the tests of the compiler. Run one by hand with
#   lit-22 -v build/tests --filter NAME
import os
import subprocess

import lit.formats

config.name = "dann"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".txtpb", ".test"]
config.excludes = ["Inputs", "golden", "unit"]
config.test_source_root = os.path.join(config.dann_source, "tests")
config.test_exec_root = os.path.join(config.dann_build, "tests")
config.environment["PATH"] = os.pathsep.join(
    [
        os.path.join(config.dann_build, "bin"),
        config.llvm_tools,
        config.environment["PATH"],
    ]
)
# Debian's Python, which has the NumPy that its packages install.
config.substitutions.append(("%python", "/usr/bin/python3"))
config.substitutions.append(("%build", config.dann_build))
config.substitutions.append(("%llvm_lib", config.llvm_library))
config.substitutions.append(("%examples", os.path.join(config.dann_source, "examples")))
config.substitutions.append(("%data", "/usr/share/datasets/fashion-mnist"))
config.substitutions.append(("%onnx-proto", config.onnx_proto))
config.substitutions.append(("%onnx_data", "/usr/share/libonnx-testdata/data"))
# Makes an ONNX model of one written as text.
config.substitutions.append(
    (
        "%encode",
        "protoc --encode=onnx.ModelProto --proto_path=/usr/include "
        "/usr/include/onnx/onnx.proto <",
    )
)
# What applications that use an instrumented runtime are built with.
if config.dann_sanitize:
    for flags in ["CFLAGS", "CXXFLAGS"]:
        config.environment[flags] = "-fsanitize=" + config.dann_sanitize
# Unset CHECK variables between CHECK-LABELs.
config.environment["FILECHECK_OPTS"] = "-enable-var-scope"
# Not among the packages that tests need: it brings a gigabyte.
if subprocess.run(["/usr/bin/python3", "-c", "import torch"], capture_output=True).returncode == 0:
    config.available_features.add("torch")
# Downloads half a gigabyte, as root: only if asked for by DANN_TEST_CLEAN_ROOT=1.
if os.environ.get("DANN_TEST_CLEAN_ROOT") == "1":
    config.available_features.add("clean-root")
