import json
import math
import os

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bnjax.lab.results import append_rows, read_json, read_rows, write_json
from bnjax.lab.results.records import to_strict

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
  SCALARS,
  lambda inner: (
    st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
  ),
  max_leaves=8,
)


def refuse_constant(name):
  raise AssertionError(f"{name} is not strict JSON")


@settings(deadline=None)
@given(st.dictionaries(st.text(), VALUES))
def test_whatever_is_written_is_one_line_of_strict_json(tmp_path_factory, row):
  path = tmp_path_factory.mktemp("rows") / "metrics.jsonl"
  append_rows(path, [row])
  text = path.read_text(encoding="utf-8")
  assert text.count("\n") == 1
  assert text.endswith("\n")
  parsed = json.loads(text, parse_constant=refuse_constant)
  assert parsed == to_strict(row) == read_rows(path).rows[0]


def test_numbers_that_are_not_finite_become_null():
  row = {"a": math.nan, "b": [math.inf, -math.inf], "c": np.float32("nan")}
  assert to_strict(row) == {"a": None, "b": [None, None], "c": None}


def test_numpy_values_become_numbers_and_lists():
  strict = to_strict({"a": np.int64(3), "b": np.array([1.5, np.inf])})
  assert strict == {"a": 3, "b": [1.5, None]}
  assert type(strict["a"]) is int


def test_an_object_without_a_form_in_json_is_refused():
  with pytest.raises(TypeError, match="function has no form in JSON"):
    to_strict({"f": lambda: 0})


def test_rows_of_several_chunks_are_read_in_order(tmp_path):
  path = tmp_path / "new" / "metrics.jsonl"
  append_rows(path, [{"step": 1}, {"step": 2}])
  append_rows(path, [{"step": 3}])
  assert read_rows(path) == ([{"step": 1}, {"step": 2}, {"step": 3}], [])


TORN = b'{"step": 1}\n{"step": 2, "lo'


def test_a_torn_last_line_is_left_out_with_a_notice(tmp_path):
  path = tmp_path / "metrics.jsonl"
  path.write_bytes(TORN)
  rows, notices = read_rows(path)
  assert rows == [{"step": 1}]
  assert notices == [
    "metrics.jsonl: line 2 is torn (its writer was stopped) and is left out"
  ]


def test_a_line_torn_inside_a_character_is_left_out(tmp_path):
  path = tmp_path / "metrics.jsonl"
  path.write_bytes(b'{"step": 1}\n{"arm": "\xc3')
  assert read_rows(path).rows == [{"step": 1}]


def test_appending_removes_a_torn_line_first(tmp_path):
  path = tmp_path / "metrics.jsonl"
  path.write_bytes(TORN)
  append_rows(path, [{"step": 3}])
  assert path.read_text() == '{"step": 1}\n{"step": 3}\n'


def test_appending_completes_a_whole_line_that_lacks_its_end(tmp_path):
  path = tmp_path / "metrics.jsonl"
  path.write_text('{"step": 1}')
  append_rows(path, [{"step": 2}])
  assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_damage_before_the_last_line_is_an_error(tmp_path):
  path = tmp_path / "metrics.jsonl"
  path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
  with pytest.raises(ValueError, match=r"metrics.jsonl: line 2 is not a JSON"):
    read_rows(path)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
  path = tmp_path / "config.json"
  write_json(path, {"steps": 10})
  with pytest.raises(TypeError):
    write_json(path, {"steps": object()})
  assert read_json(path) == {"steps": 10}
  assert os.listdir(tmp_path) == ["config.json"]


def test_an_interrupted_replacement_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / "config.json"
  write_json(path, {"steps": 10})

  def fail(*args):
    raise OSError("disk full")

  monkeypatch.setattr(os, "replace", fail)
  with pytest.raises(OSError, match="disk full"):
    write_json(path, {"steps": 20})
  assert read_json(path) == {"steps": 10}
  assert os.listdir(tmp_path) == ["config.json"]


def test_a_written_file_has_the_permissions_of_any_other(tmp_path):
  write_json(tmp_path / "config.json", {})
  (tmp_path / "other").write_text("")
  mode = lambda name: (tmp_path / name).stat().st_mode
  assert mode("config.json") == mode("other")


@pytest.mark.parametrize("text", ["", "[1]", '{"a": '])
def test_a_file_without_one_object_is_an_error(tmp_path, text):
  (tmp_path / "config.json").write_text(text)
  with pytest.raises(ValueError, match=r"config.json does not hold"):
    read_json(tmp_path / "config.json")


@settings(deadline=None)
@given(st.dictionaries(st.text(), VALUES))
def test_a_json_file_holds_what_was_written(tmp_path_factory, value):
  path = tmp_path_factory.mktemp("json") / "summary.json"
  write_json(path, value)
  text = path.read_text(encoding="utf-8")
  parsed = json.loads(text, parse_constant=refuse_constant)
  assert parsed == to_strict(value) == read_json(path)


def test_lists_of_numbers_take_one_line(tmp_path):
  write_json(tmp_path / "x.json", {"a": [1, 2], "b": {"c": [[1], {}]}})
  assert (tmp_path / "x.json").read_text() == (
    '{\n  "a": [1, 2],\n  "b": {\n    "c": [\n      [1],\n      {}\n    ]\n'
    "  }\n}\n"
  )
