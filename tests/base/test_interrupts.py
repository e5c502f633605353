"""Standard error that is silent for a while. Signals: tests/cli/test_interrupts.py."""

import os

import pytest

from runner.base import interrupts


def test_what_a_library_prints_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with interrupts.quiet(), interrupts.quiet():
        os.write(2, b"thread panicked")
        interrupts.say("interrupted")
    os.write(2, b"error\n")
    assert "interrupted\nerror\n" == capfd.readouterr().err


def test_an_error_ends_the_silence(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), interrupts.quiet():
        raise ZeroDivisionError
    os.write(2, b"error\n")
    assert "error\n" == capfd.readouterr().err
