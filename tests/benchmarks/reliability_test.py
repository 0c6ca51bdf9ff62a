"""The attacks of docs/reliability.md in small: nothing goes wrong."""

import pathlib
import random

import pytest

from benchmarks.reliability import hostile, processes, stored, table
from benchmarks.reliability.outcome import Outcome, Row, refused
from benchmarks.reliability.runs import Runs

ROOT = pathlib.Path(__file__).parents[2]


def _verdicts(outcomes):
  """All verdicts, once each; fails where one is wrong, with what was said."""
  wrong = [out.said for out in outcomes if out.verdict == "wrong"]
  assert not wrong, "\n".join(wrong)
  return {out.verdict for out in outcomes}


def test_a_run_killed_and_stopped_again_and_again(tmp_path):
  """It is bit for bit the one that nothing was done to."""
  pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
  assert _verdicts([processes.ordeal(Runs(tmp_path))]) == {"survived"}


def test_no_link_is_followed(tmp_path):
  came = [hostile.link(tmp_path / name, name) for name in hostile.LINKS]
  assert _verdicts(came) == {"refused"}


@pytest.mark.parametrize(
  ("place", "name", "verdict"),
  [
    ("figure", "../../outside", "refused"),
    ("arm", "=cost $\\frac{1}{2$", "survived"),
    ("title", "![x](http://a/b.png)<script>alert(1)</script>", "survived"),
  ],
)
def test_a_name_is_a_name(tmp_path, place, name, verdict):
  came = hostile.name_something(tmp_path, place, name)
  assert _verdicts([came]) == {verdict}


def test_damage_to_networks_and_to_the_data_cache(tmp_path, monkeypatch):
  came = list(stored.networks(tmp_path))
  assert _verdicts(came) == {"refused"}
  monkeypatch.setenv("BNJAX_CACHE_DIR", str(tmp_path))
  (tmp_path / "data").mkdir()
  came = list(stored.decoded(tmp_path / "data", 50, random.Random(0)))
  assert _verdicts(came) == {"survived"}


@pytest.mark.parametrize(
  "text", ["", "Traceback\n", "a\nb\n", "ValueError: x\n", "error: \x1b[3m\n"]
)
def test_what_is_no_line_is_wrong(text):
  assert refused(text).verdict == "wrong"
  assert refused("note: it goes on\nerror: no\n") == ("refused", "error: no")


def test_the_page_counts_and_nothing_in_it_is_wrong():
  rows = [
    Row("a kill", [Outcome("survived"), Outcome("wrong")], "lost"),
    Row("a link", [Outcome("refused")] * 2000, ""),
  ]
  lines = table.to_markdown(rows, ["Command: `x`"]).splitlines()
  assert "| a kill | 2 | 1 |  | 1 | lost |" in lines
  assert "| **all** | 2,002 | 1 | 2,000 | 1 |  |" in lines
  page = (ROOT / "docs" / "reliability.md").read_text().splitlines()
  cells = [[c.strip() for c in line.split("|")[1:-1]] for line in page]
  found = [row for row in cells if len(row) == 6 and row[0] != "attack"][1:]
  assert len(found) > 30
  assert {row[4] for row in found} == {""}
