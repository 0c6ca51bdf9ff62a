"""Figures for papers: their width, their fonts, the names in them."""

import re
import struct

import pytest

from bnjax.lab import report, results
from bnjax.lab.errors import UserError
from bnjax.lab.report.style import COLUMN, KNOWN, NARROW, RC, settings

LONG = "an arm of a very long name, much too long for a column"
ARMS = ["batch_norm", "no_batch_norm", LONG]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp("run")
  config = {"arms": dict.fromkeys(ARMS)}
  results.write_json(folder / "config.json", {"config": config})
  results.write_json(folder / "environment.json", {"datasets": []})
  rows = [
    {"arm": arm, "seed": seed, "step": step, "test_accuracy": 0.4 + 0.01 * step}
    for arm in ARMS
    for seed in (0, 1)
    for step in (10, 20)
  ]
  results.append_rows(folder / "metrics.jsonl", rows)
  return folder


@pytest.fixture(scope="module")
def files(run):
  found = report.write_figures(run, formats=["png", "pdf", "svg"])
  return {path.suffix: path for path in found}


def test_a_figure_is_as_wide_as_a_column(files):
  width, _ = struct.unpack(">II", files[".png"].read_bytes()[16:24])
  dpi = settings(COLUMN)["savefig.dpi"]
  assert 0.9 * COLUMN <= width / dpi <= COLUMN + 0.05


def test_the_ordinary_report_is_left_alone(run, files):
  assert files[".pdf"].parent == run / "report" / "paper"
  assert [path.name for path in (run / "report").iterdir()] == ["paper"]


def test_fonts_are_embedded_and_nothing_tells_the_date(files):
  text = files[".pdf"].read_bytes()
  assert b"/FontFile2" in text
  assert b"/Type3" not in text
  assert b"CreationDate" not in text
  assert b"<dc:date>" not in files[".svg"].read_bytes()


def test_names_stand_below_a_narrow_panel_each_once(files):
  text = re.sub(r"<!--.*?-->", "", files[".svg"].read_text())
  for arm in ARMS:
    assert text.count(f">{arm}<") == 1


def test_the_same_run_gives_the_same_bytes(run, files):
  before = {path: path.read_bytes() for path in files.values()}
  report.write_figures(run, formats=["png", "pdf", "svg"])
  assert {path: path.read_bytes() for path in files.values()} == before


def test_text_is_no_smaller_than_print_can_show():
  narrow = settings(COLUMN)
  sizes = [
    value for key, value in narrow.items() if "size" in key and "fig" not in key
  ]
  assert min(sizes) >= 6.5
  assert settings() == RC | {"figure.figsize": settings()["figure.figsize"]}
  assert COLUMN < NARROW


def test_arms_that_experiments_share_have_colours_of_their_own():
  assert len(set(KNOWN.values())) == len(KNOWN)


def test_a_width_or_format_that_is_none_is_told(run, tmp_path):
  with pytest.raises(UserError, match=r"--width: 33 inches; between 2\.5 and"):
    report.write_figures(run, width=33)
  with pytest.raises(UserError, match="--format: 'pfd' is not known; did you"):
    report.write_figures(run, formats=["pfd"])
  with pytest.raises(UserError, match="config"):
    report.write_figures(tmp_path)
