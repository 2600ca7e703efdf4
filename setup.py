"""Builds the compiled backends; everything else of the package stands in pyproject.toml.

`model/runtime/step.c`, `model/adaptation/adapt.c` and `model/driving/drive.c` become plain shared
libraries, which ctypes loads: they know nothing of Python, so that one wheel serves every version.
Where the machine has no C compiler, PyPI's `ziglang` is one, and its libraries run on every Linux
since glibc 2.17; NEXTCHAR_BUILD=zig takes it in any case, for a wheel that is given to others.
Where nothing compiles, numpy computes.
"""

import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

GLIBC = (2, 17)
# Fused or reordered sums would have other bits; ARITHMETIC.md says which ones are right.
FLAGS = ["-std=c11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=off"]
if sys.platform == "linux":
    FLAGS.append("-s")


def system_compiler() -> list[str] | None:
    """The machine's own C compiler, $CC first."""
    if os.environ.get("NEXTCHAR_BUILD") == "zig":
        return None
    if named := os.environ.get("CC"):
        return shlex.split(named)
    found = next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    return [found] if found else None


def zig() -> list[str]:
    """The compiler in the package `ziglang`, for an old C library."""
    command = [sys.executable, "-m", "ziglang", "cc"]
    if sys.platform == "linux":
        command += ["-target", f"{platform.machine()}-linux-gnu.{GLIBC[0]}.{GLIBC[1]}"]
    # The least processor that runs it; kernels for better ones are chosen as it runs.
    if platform.machine() == "x86_64":
        command += ["-mcpu=baseline"]
    return command


class BuildLibrary(build_ext):
    """Compiles a source to a shared library without Python in its name or its code."""

    def get_ext_filename(self, fullname: str) -> str:
        """Where the library lies, beside the module that loads it."""
        return str(Path(*fullname.split("."))) + ".so"

    def build_extension(self, ext: Extension) -> None:
        """Compiles; an error leaves the package to numpy, and says so."""
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        command = [*(system_compiler() or zig()), *FLAGS, *ext.sources, "-o", str(target)]
        try:
            subprocess.run(command, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            self.warn(f"the compiled backend was not built, numpy will compute: {error}")
            target.unlink(missing_ok=True)

    def get_outputs(self) -> list[str]:
        """The library, where it was built."""
        return [output for output in super().get_outputs() if Path(output).exists()]


class TagWheel(bdist_wheel):
    """Names the wheel for any Python, on this platform."""

    def get_tag(self) -> tuple[str, str, str]:
        """The three parts of the name that say where the wheel runs."""
        _, _, plat = super().get_tag()
        if system_compiler() is None and sys.platform == "linux":
            plat = f"manylinux_{GLIBC[0]}_{GLIBC[1]}_{platform.machine()}"
        return "py3", "none", plat


setup(
    ext_modules=[
        Extension(
            "model.runtime._step",
            ["model/runtime/step.c"],
            depends=[
                "model/runtime/contexts.h",
                "model/runtime/float_mode.h",
                "model/runtime/hashing.h",
                "model/runtime/kernel.h",
            ],
        ),
        Extension(
            "model.adaptation._adapt",
            ["model/adaptation/adapt.c"],
            depends=["model/runtime/float_mode.h", "model/runtime/hashing.h"],
        ),
        Extension("model.driving._drive", ["model/driving/drive.c"]),
    ],
    cmdclass={"build_ext": BuildLibrary, "bdist_wheel": TagWheel},
    setup_requires=[] if system_compiler() else ["ziglang>=0.13"],
)
