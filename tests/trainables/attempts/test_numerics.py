"""The processor's name."""

import builtins
import io
import os
import platform

import pytest
import torch

from trainables.attempts import numerics

X86 = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2\n"
GRAVITON = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: {}\n"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (X86 + X86.replace("EPYC", "other"), "AMD EPYC"),
        (GRAVITON.format("0xd40"), "aarch64 0x41 0xd40"),
        (GRAVITON.format("0xd4f"), "aarch64 0x41 0xd4f"),
        ("nothing that tells\n", "a processor"),
    ],
)
def test_two_kinds_of_processor_have_two_names(monkeypatch, content, name):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(platform, "processor", lambda: "a processor")
    monkeypatch.setattr(os.path, "exists", lambda path: True)
    monkeypatch.setattr(builtins, "open", lambda path, **given: io.StringIO(content))
    found = numerics._processor()
    monkeypatch.undo()
    assert found == name


def test_this_machines_processor_has_a_name():
    assert numerics.describe_numerics(torch.device("cpu"), "float32").processor
