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
