import os
import sys

import pytest
from absl import flags

from bnjax.lab import usage


def test_what_libraries_say_is_said_in_one_plain_line():
  said = "flag --config.l2=a=b: could not convert string to float: 'a=b'"
  assert usage.brief(said) == "--config.l2: 'a=b' is no number"
  assert usage.brief("flag --n=-1: -1 is not a non-negative number") == (
    "--n: -1 is not a non-negative number"
  )


def test_help_has_a_line_for_each_flag_and_its_default():
  own = flags.FlagValues()
  flags.DEFINE_integer("rounds", 11, "How often.", flag_values=own)
  flags.DEFINE_boolean("quiet", False, "Show nothing.", flag_values=own)
  flags.DEFINE_list("format", ["png", "pdf"], "Of figures.", flag_values=own)
  flags.DEFINE_string(
    "a_name_that_is_quite_long", None, "word " * 20, flag_values=own
  )
  doc = "Does it.\n\n  program --rounds=3\n"
  listed = [own[name] for name in own]
  lines = usage.help_text(doc, listed).splitlines()
  assert lines[:5] == ["Does it.", "", "  program --rounds=3", "", "flags:"]
  assert "  --rounds=...            How often. [11]" in lines
  assert "  --quiet                 Show nothing." in lines
  assert "  --format=...            Of figures. [png,pdf]" in lines
  assert "  --a_name_that_is_quite_long=..." in lines
  assert max(map(len, lines)) <= 80


def test_programs_are_called_as_their_user_calls_them(monkeypatch):
  told = "run python scripts/train.py first, or configs/train.py"
  monkeypatch.setattr(sys, "argv", ["/a/bin/bnjax-report"])
  assert usage.as_called(told) == "run bnjax-train first, or configs/train.py"
  monkeypatch.setattr(sys, "argv", ["scripts/report.py"])
  assert usage.as_called(told) == told


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["a", "-?"]])
def test_help_is_asked_for_in_many_ways(arguments):
  assert usage.wants_help(["program", *arguments])


def test_help_of_another_program_is_not_ours():
  assert not usage.wants_help(["program", "--", "--help"])


@pytest.mark.parametrize(
  ("name", "status"),
  [
    ("/dev/full", "error: cannot write: No space left on device"),
    (None, 1),  # a pipe that nobody reads, as after `| head`
  ],
)
def test_what_cannot_be_printed_is_no_traceback(monkeypatch, name, status):
  reader, writer = os.pipe()
  os.close(reader)
  with open(name or os.dup(writer), "w") as output:
    monkeypatch.setattr(sys, "stdout", output)
    with pytest.raises(SystemExit) as stop, usage._printing():
      print("lost")
    monkeypatch.undo()
  os.close(writer)
  assert stop.value.code == status


def test_letters_that_the_output_has_not_are_question_marks(
  monkeypatch, tmp_path
):
  with open(tmp_path / "output", "w", encoding="ascii") as output:
    monkeypatch.setattr(sys, "stdout", output)
    with usage._printing():
      print("0.5 \N{PLUS-MINUS SIGN} 0.1")
    monkeypatch.undo()
  assert (tmp_path / "output").read_text() == "0.5 ? 0.1\n"
