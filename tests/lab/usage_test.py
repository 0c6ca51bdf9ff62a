import os
import subprocess
import sys

import pytest
from absl import flags

from bnjax.lab import usage


def test_what_libraries_say_is_said_in_one_plain_line():
  text = (
    "Error\n\nTraceback (most recent call last):\n  File x\nKeyError: 'a'\n"
  )
  assert usage.brief(text) == "KeyError: 'a'"
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
  doc = (
    "Does it.\n\n  program --rounds=3\n\nKept short on purpose: see there.\n"
  )
  listed = [own[name] for name in own]
  lines = usage.help_text(doc, listed).splitlines()
  assert lines[:5] == ["Does it.", "", "  program --rounds=3", "", "flags:"]
  assert "  --rounds=...            How often. [11]" in lines
  assert "  --quiet                 Show nothing." in lines
  assert "  --format=...            Of figures. [png,pdf]" in lines
  assert "  --a_name_that_is_quite_long=..." in lines
  assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["a", "-?"]])
def test_help_is_asked_for_in_many_ways(arguments):
  assert usage.wants_help(["program", *arguments])


def test_help_of_another_program_is_not_ours():
  assert not usage.wants_help(["program", "--", "--help"])


_PRINTS = """
from bnjax.lab import usage
with usage._printing():
  print("\\N{PLUS-MINUS SIGN}" * 10)
"""


def _print(**where):
  done = subprocess.run(
    [sys.executable, "-c", _PRINTS],
    env=os.environ | {"PYTHONIOENCODING": "ascii"},
    stderr=subprocess.PIPE,
    text=True,
    **where,
  )
  return done.returncode, done.stdout, done.stderr


def test_what_cannot_be_printed_is_no_traceback():
  assert _print(stdout=subprocess.PIPE) == (0, "?" * 10 + "\n", "")
  with open("/dev/full", "w") as full:
    full_disk = "error: cannot write: No space left on device\n"
    assert _print(stdout=full) == (1, None, full_disk)
  reader, writer = os.pipe()
  os.close(reader)  # as `head` does
  with open(writer, "w") as closed:
    assert _print(stdout=closed) == (1, None, "")
