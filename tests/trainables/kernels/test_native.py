"""Compiling for this machine."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

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


def test_a_compiler_that_knows_another_option_for_this_processor(tmp_path, source, monkeypatch):
    """Apple's, on Apple's chips, refuses -march=native."""
    real = shutil.which("c++")
    picky = tmp_path / "picky"
    refuse = f'case "$*" in *=native*) exit 1;; esac; exec {real} "$@"'
    picky.write_text(f"#!/bin/sh\n{refuse}\n")
    picky.chmod(0o755)
    monkeypatch.setenv("CXX", str(picky))
    assert compile_anew(source).answer() == 42
    assert len(libraries(tmp_path)) == 1


@pytest.mark.parametrize("cxx", ['c++ "-DNOTHING', ""])
def test_no_command_that_a_shell_would_take(tmp_path, source, monkeypatch, cxx):
    monkeypatch.setenv("CXX", cxx)
    assert compile_anew(source) is None
    assert libraries(tmp_path) == []


def test_a_library_that_another_user_may_have_written_is_never_loaded(tmp_path, source):
    compile_anew(source)
    (library,) = libraries(tmp_path)
    other = tmp_path / "other.cpp"
    other.write_text('extern "C" int answer() { return 666; }')
    subprocess.run(["c++", "-shared", "-fPIC", "-o", library, other], check=True)
    library.chmod(0o777)
    assert compile_anew(source).answer() == 42
    assert library.stat().st_mode & 0o777 == 0o755


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
