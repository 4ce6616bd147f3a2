"""PYTHON GLIBC ARGUMENT...: `pip install` of what a 64-bit Arm would get: wheels alone, for that full version of Python
and minor version of glibc. Runs on this machine's pip.
"""

import sys

from pip._internal.cli.main import main
from pip._vendor.packaging import markers

full, glibc, *arguments = sys.argv[1:]
major, minor, _ = full.split(".")

# pip's options choose files by their tags; it evaluates markers such as `python_version < "3.11"` for the Python and
# the machine that it runs on (https://github.com/pypa/pip/issues/11664). So their environment is replaced, and checked.
ours = markers.default_environment
there = {
    "implementation_name": "cpython",
    "implementation_version": full,
    "os_name": "posix",
    "platform_machine": "aarch64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": full,
    "python_version": f"{major}.{minor}",
    "sys_platform": "linux",
}
markers.default_environment = lambda: {**ours(), **there}
told = " and ".join(f"{name} == '{value}'" for name, value in there.items())
if not markers.Marker(told).evaluate():
    sys.exit("this pip cannot evaluate markers for another machine; adapt scripts/aarch64/pip_for_aarch64.py to it")

options = ["--ignore-installed", "--only-binary=:all:", f"--python-version={full}", "--implementation=cp"]
options += [f"--abi={abi}" for abi in (f"cp{major}{minor}", "abi3", "none")]
options += [f"--platform=manylinux_2_{each}_aarch64" for each in range(int(glibc), 16, -1)]
options += ["--platform=manylinux2014_aarch64"]
sys.exit(main(["--disable-pip-version-check", "-qq", "install", *options, *arguments]))
