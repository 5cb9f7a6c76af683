"""Compiling for this machine."""

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trainables.kernels import native
from trainables.kernels.native import compiled

compile_anew = compiled.__wrapped__  # as a new process does


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    path = tmp_path / "answer.cpp"
    path.write_text('extern "C" int answer() { return 42; }')
    return path


def libraries(tmp_path):
    return sorted(p for p in tmp_path.rglob("native/**/*") if p.is_file())


def test_a_source_is_compiled_once(tmp_path, source, monkeypatch):
    assert compile_anew(source).answer() == 42
    (library,) = libraries(tmp_path)
    written = library.stat().st_mtime_ns
    monkeypatch.setenv("PATH", "")
    assert compile_anew(source).answer() == 42
    assert library.stat().st_mtime_ns == written


def test_another_source_is_another_library(tmp_path, source):
    compile_anew(source)
    source.write_text('extern "C" int answer() { return 43; }')
    assert compile_anew(source).answer() == 43
    assert len(libraries(tmp_path)) == 2


def test_another_header_is_another_library(tmp_path, source):
    header = source.with_name("wisdom.h")
    header.write_text("constexpr int WISDOM = 42;")
    source.write_text('#include "wisdom.h"\nextern "C" int answer() { return WISDOM; }')
    assert compile_anew(source).answer() == 42
    header.write_text("constexpr int WISDOM = 43;")
    assert compile_anew(source).answer() == 43


def test_many_at_once(tmp_path, source):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(compile_anew, [source] * 4))
    assert [library.answer() for library in found] == [42] * 4
    assert len(libraries(tmp_path)) == 1


def test_a_compiler_with_options(source, monkeypatch):
    monkeypatch.setenv("CXX", "c++ -DNOTHING")
    assert compile_anew(source).answer() == 42


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"])
def test_without_a_compiler_there_is_none(tmp_path, source, monkeypatch, compiler):
    monkeypatch.setenv("CXX", compiler)
    assert compile_anew(source) is None
    assert libraries(tmp_path) == []


def test_a_source_it_cannot_compile(tmp_path, source):
    source.write_text("this is no C++")
    assert compile_anew(source) is None
    assert libraries(tmp_path) == []


def test_a_damaged_library_is_compiled_again(tmp_path, source):
    compile_anew(source)
    (library,) = libraries(tmp_path)
    library.unlink()
    library.write_bytes(b"torn")
    assert compile_anew(source).answer() == 42


def test_a_cache_that_cannot_be_written_is_replaced_by_the_users_own(tmp_path, source):
    (tmp_path / "cache").write_text("a file")
    assert compile_anew(source).answer() == 42
    (library,) = libraries(tmp_path)
    assert library.is_relative_to(tmp_path / "own")


def test_no_cache_that_can_be_written(tmp_path, source):
    (tmp_path / "cache").write_text("a file")
    (tmp_path / "own").write_text("another")
    assert compile_anew(source) is None


#: Logs the options that it knows of two, refuses some, and hands the others on to a compiler that
#: need not know -mcpu=native.
PICKY = """#!/bin/sh
for given; do
  shift
  case $given in
    {refused}) echo "refused $given" >> {log}; exit 1;;
    -m*=native) echo "took $given" >> {log};;
    *) set -- "$@" "$given";;
  esac
done
exec {real} "$@"
"""


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ("-march=native", ["refused -march=native", "took -mcpu=native"]),
        ("-m*=native", ["refused -march=native", "refused -mcpu=native"]),
    ],
)
def test_a_compiler_that_knows_another_option_for_this_processor(
    tmp_path, source, monkeypatch, refused, said
):
    """Apple's, on Apple's chips, refuses -march=native; another may refuse both."""
    picky, log = tmp_path / "picky", tmp_path / "log"
    real = shlex.quote(str(shutil.which("c++")))
    picky.write_text(PICKY.format(refused=refused, log=shlex.quote(str(log)), real=real))
    picky.chmod(0o755)
    monkeypatch.setenv("CXX", str(picky))
    assert compile_anew(source).answer() == 42
    assert log.read_text().splitlines() == said
    assert len(libraries(tmp_path)) == 1


@pytest.mark.parametrize("cxx", ['c++ "-DNOTHING', ""])
def test_no_command_that_a_shell_would_take(tmp_path, source, monkeypatch, cxx):
    monkeypatch.setenv("CXX", cxx)
    assert compile_anew(source) is None
    assert libraries(tmp_path) == []


@pytest.fixture
def foreign(tmp_path, source, monkeypatch):
    """A library that is not ours, but whole, and lies where ours is looked for; it says 666."""
    compile_anew(source)
    (library,) = libraries(tmp_path)
    other, built = tmp_path / "other.cpp", tmp_path / "other.so"
    other.write_text('extern "C" int answer() { return 666; }')
    subprocess.run(["c++", "-shared", "-fPIC", "-o", built, other], check=True)
    # In a cache that this process has not loaded from: by a known path it would get ours again.
    monkeypatch.setenv("SEQTUNE_CACHE", str(tmp_path / "shared"))
    path = tmp_path / "shared" / library.relative_to(tmp_path / "cache")
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o700)
    path.write_bytes(built.read_bytes() + hashlib.sha256(built.read_bytes()).digest())
    path.chmod(0o755)
    return path


def test_what_this_user_alone_may_have_written_is_loaded(source, foreign):
    """So the tests below refuse it for nothing but who may have written it."""
    assert compile_anew(source).answer() == 666


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_library_that_another_user_may_have_written_is_never_loaded(source, foreign, mode):
    foreign.chmod(mode)
    assert compile_anew(source).answer() == 42
    assert foreign.stat().st_mode & 0o777 == 0o755


def test_nothing_is_loaded_from_another_users_folder(source, foreign, monkeypatch):
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    assert compile_anew(source) is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a file away")
def test_another_users_library_in_ones_own_folder_is_never_loaded(source, foreign):
    os.chown(foreign, 12345, -1)
    assert compile_anew(source).answer() == 42
    assert foreign.stat().st_uid == 0


def test_a_umask_that_lets_others_write_lets_them_not_write_a_library(tmp_path, source):
    before = os.umask(0)
    try:
        assert compile_anew(source).answer() == 42
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in libraries(tmp_path)] == [0o755]


@pytest.mark.parametrize("kept", [0, 100, 5000, -1])
def test_a_truncated_library_is_compiled_again(tmp_path, source, kept):
    """To load one would end this process with SIGBUS."""
    compile_anew(source)
    (library,) = libraries(tmp_path)
    whole = library.read_bytes()
    library.unlink()
    library.write_bytes(whole[:kept])
    assert compile_anew(source).answer() == 42
    assert library.read_bytes() == whole


def test_a_folder_that_others_may_write_is_not_trusted(tmp_path, source):
    compile_anew(source)
    (library,) = libraries(tmp_path)
    assert library.parent.stat().st_mode & 0o777 == 0o700
    library.parent.chmod(0o777)
    assert compile_anew(source).answer() == 42
    assert [p.is_relative_to(tmp_path / "own") for p in libraries(tmp_path)] == [False, True]


#: Of a chip with two kinds of cores, as Linux tells it on Arm.
ON_ARM = """processor\t: {number}
Features\t: fp asimd bf16
CPU implementer\t: 0x41
CPU part\t: {part}
"""


def identified(monkeypatch, tmp_path: Path, *parts: str) -> bytes:
    path = tmp_path / "cpuinfo"
    texts = [ON_ARM.format(number=n, part=part) for n, part in enumerate(parts)]
    path.write_text("\n".join(texts))
    monkeypatch.setattr(native, "_CPUINFO", path)
    return native._processor()


def test_chips_of_arm_are_told_apart_by_their_part(monkeypatch, tmp_path):
    two_kinds = identified(monkeypatch, tmp_path, "0xd40", "0xd4f")
    assert two_kinds == identified(monkeypatch, tmp_path, "0xd4f", "0xd40", "0xd40")
    assert two_kinds != identified(monkeypatch, tmp_path, "0xd40")
    assert identified(monkeypatch, tmp_path, "0xd4f") != identified(monkeypatch, tmp_path, "0xd40")


#: A processor's name to Python: the same for every chip of Apple's.
BY_PYTHON = b"arm"


@pytest.fixture
def without_proc(tmp_path, monkeypatch):
    """Makes this another system, on which a script stands in for sysctl."""
    monkeypatch.setattr(native, "_CPUINFO", tmp_path / "none")
    monkeypatch.setattr(platform, "processor", BY_PYTHON.decode)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def put(system: str, script: str) -> None:
        monkeypatch.setattr(platform, "system", lambda: system)
        (tmp_path / "sysctl").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "sysctl").chmod(0o755)

    return put


def test_chips_of_apple_are_told_apart_by_their_brand(without_proc):
    without_proc("Darwin", '[ "$*" = "-n machdep.cpu.brand_string" ] && echo Apple M2 Max')
    assert native._processor() == b"Apple M2 Max"


@pytest.mark.parametrize(
    ("system", "script"),
    [("Darwin", "exit 1"), ("Darwin", "true"), ("Darwin", "exec sleep 60"), ("FreeBSD", "echo M")],
)
def test_a_chip_without_a_brand_has_the_name_that_python_has(
    without_proc, monkeypatch, system, script
):
    monkeypatch.setattr(native, "_SYSCTL_SECONDS", 0.3)
    without_proc(system, script)
    assert native._processor() == BY_PYTHON


def test_a_system_without_sysctl(without_proc, monkeypatch, tmp_path):
    without_proc("Darwin", "echo M")
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    assert native._processor() == BY_PYTHON
