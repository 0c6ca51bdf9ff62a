"""docs/mathematics.md names what exists."""

import importlib
import pathlib
import re

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "mathematics.md"


def test_algorithm_2_is_where_the_table_says():
  """Every line of it has a row, and every name in a row is one of bnjax."""
  text = PAGE.read_text(encoding="utf-8")
  rows = re.findall(r"^\| (\d+) \| (.+) \| (.*)\|$", text, re.MULTILINE)
  assert [int(line) for line, *_ in rows] == [*range(1, 13)]
  for line, _, where in rows:
    named = re.findall(r"`(bnjax[\w.]*)`", where)
    assert named or line in ("5", "8", "9", "12")
    for name in named:
      module, _, own = name.rpartition(".")
      assert callable(getattr(importlib.import_module(module), own)), name
