"""How the tests compile the C files: without a warning, with sanitizers, for another processor."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

FLAGS = ["-std=c11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]
NATIVE = [name for name in ("gcc", "clang") if shutil.which(name)]
# Both are Debian packages; scripts/install installs them where it is allowed to.
AARCH64_COMPILER, AARCH64_EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
FOREIGN = all(map(shutil.which, (AARCH64_COMPILER, AARCH64_EMULATOR)))
COMPILERS = [*NATIVE, *([AARCH64_COMPILER] if FOREIGN else [])]


def compile_strictly(compiler: str, source: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Compiles a library's source by the C standard; every warning is an error."""
    return subprocess.run(
        [compiler, *FLAGS, "-Wpedantic", "-shared", "-fPIC", source, "-o", folder / "strict.so"],
        capture_output=True,
        text=True,
        check=False,
    )


def run_sanitized(
    compiler: str, source: Path, folder: Path, fuzzing: str, *seeds: str
) -> subprocess.CompletedProcess[str]:
    """Builds the library with sanitizers, and runs the module `fuzzing` with it and the seeds."""
    library = folder / "sanitized.so"
    subprocess.run(
        [compiler, *FLAGS, *SANITIZERS, "-shared", "-fPIC", source, "-o", library], check=True
    )
    runtimes = [
        subprocess.run(
            [compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    # Python itself keeps memory until it ends, which is no leak of ours.
    environment = {"LD_PRELOAD": " ".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0"}
    return subprocess.run(
        [sys.executable, "-m", fuzzing, library, *seeds],
        cwd=Path(__file__).parents[2],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def compile_for_aarch64(harness: Path, source: Path, folder: Path, *options: str) -> Path:
    """Compiles a harness, which includes the source, to a program for an AArch64 processor."""
    program = folder / "harness"
    include = ["-I", str(source.parent), *options]
    subprocess.run(
        [AARCH64_COMPILER, *FLAGS, *include, "-static", harness, "-o", program], check=True
    )
    return program


def run_on_aarch64(program: Path, given: Iterable[NDArray[Any]]) -> bytes:
    """What the program writes for these arrays."""
    return subprocess.run(
        [AARCH64_EMULATOR, program],
        input=b"".join(array.tobytes() for array in given),
        capture_output=True,
        check=True,
    ).stdout
