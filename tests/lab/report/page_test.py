"""What the page is made of: data for its scripts, tables, one page of many."""

import json

import numpy as np
import pytest

from bnjax.lab import report, results
from bnjax.lab.errors import UserError
from bnjax.lab.report.page import arms, numbers
from bnjax.lab.report.page.assets import SCRIPTS, embed, plotly, script
from bnjax.lab.report.page.experiment import read_experiment
from bnjax.lab.report.page.histograms import pooled
from bnjax.lab.report.page.payload import payload
from bnjax.lab.report.style import MORE, PALETTE, Look
from bnjax.lab.results.probes import Seen

NUMBER = results.PublishedNumber(
  arm="a", metric="test_accuracy", mean=0.6, std=0.1, seeds=5, step=20,
  source="a post", dataset="mnist",
)  # fmt: skip
RULES = results.Rules(title="A test", published=(NUMBER,))
CONFIG = {
  "dataset": {"name": "mnist"}, "steps": 20,
  "batch_size": 50, "seeds": 2, "optimizer": {"learning_rate": 0.1},
  "arms": {"a": {}, "b": {"optimizer": {"learning_rate": 1.0}}},
  "probes": {"seen": {"measure": "histogram"}, "size": {"measure": "variance"},
             "middle": {"measure": "percentiles", "q": [15, 50, 85]}},
}  # fmt: skip
ENVIRONMENT = {"command": "python x.py",
               "datasets": [{"name": "mnist", "train": 100}]}  # fmt: skip


def runs():
  for arm in ("a", "b"):
    for seed in (0, 1):
      for step in (0, 10, 20):
        yield {"arm": arm, "seed": seed, "step": step}


def make(folder, config=CONFIG):
  results.write_json(folder / "config.json", {"config": config})
  results.write_rules(folder, RULES)
  results.write_json(folder / "environment.json", ENVIRONMENT)
  results.append_rows(
    folder / "metrics.jsonl",
    [run | {"test_accuracy": 0.4 + run["seed"] / 10 + run["step"] / 100,
            "loss": None if run["step"] == 20 else 2.0,
            "diverged_step": 20 if run["step"] == 20 else None}
     for run in runs()],
  )  # fmt: skip
  probes = {
    "seen": {"values": [1, 3], "edges": [0.0, 1.0, 2.0]},
    "size": {"values": 4.0},
    "middle": {"values": [-1.0, 0.0, 1.0]},
  }
  results.append_rows(
    folder / "probes.jsonl",
    [run | {"probe": name, "layer": f"layer_{i}"} | own
     for run in runs() for name, own in probes.items() for i in (2, 10)],
  )  # fmt: skip
  results.append_rows(
    folder / "predictions.jsonl",
    [{"index": i, "label": i, "disagreement": i / 10,
      "arms": {arm: {"prediction": 1, "confidence": 0.5, "right": 1.0}
               for arm in ("a", "b")}} for i in range(3)],
  )  # fmt: skip
  results.write_summary(folder)
  return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  return make(tmp_path_factory.mktemp("runs") / "one")


@pytest.fixture(scope="module")
def data(folder):
  return payload(read_experiment(folder))


def test_curves_have_every_seed_and_what_is_published(data):
  found = data["curves"]
  first = found["curves"][0]
  assert [(c["arm"], c["metric"]) for c in found["curves"]] == [
    (0, "test_accuracy"), (1, "test_accuracy"), (0, "loss"), (1, "loss"),
  ]  # fmt: skip
  assert (first["seeds"], first["steps"]) == ([0, 1], [0, 10, 20])
  assert first["values"] == [[0.4, 0.5, 0.6], [0.5, 0.6, 0.7]]
  assert found["curves"][2]["values"] == [[2, 2, None]] * 2
  assert found["per_step"] == [0.5, 0.5]
  assert found["diverged"] == {"0": [[0, 20], [1, 20]], "1": [[0, 20], [1, 20]]}
  assert found["published"] == {
    "numbers": [
      {"arm": 0, "metric": "test_accuracy", "step": 20, "mean": 0.6, "std": 0.1,
       "low": None, "high": None, "dataset": "mnist"},
    ],
    "curves": [],
  }  # fmt: skip
  assert not found["thinned"]


def test_values_have_intervals_beside_what_is_published(data):
  (panel,) = data["values"]
  first, second = panel["lines"]
  assert first["mean"] == pytest.approx(0.65)
  # t(1) = 12.706, s / sqrt(2) = .05
  assert first["interval"] == pytest.approx([0.0147, 1.2853], abs=1e-4)
  assert first["published"][0]["low"] == 0.5
  assert second["published"] == []


def test_probes_are_told_apart_by_what_they_saw(data):
  (size,) = data["layers"]
  assert size["layers"] == ["layer_2", "layer_10"]
  assert size["arms"][1]["values"] == [[[4, 4], [4, 4]]] * 3
  (seen,) = data["histograms"]
  assert seen["steps"] == [0, 10, 20]
  assert seen["arms"][0]["cells"][2][1] == {
    "counts": [2, 6], "seeds": 2, "zeros": None, "low": 0, "high": 2,
  }  # fmt: skip
  (middle,) = data["percentiles"]
  assert middle["texts"] == ["15%", "50%", "85%"]
  assert len(middle["lines"]) == 8  # arms x seeds x layers
  assert middle["lines"][0]["values"] == [[[-1], [0], [1]]] * 3


def test_predictions_come_in_columns_by_disagreement(data):
  found = data["predictions"]
  assert (found["index"], found["of"]) == ([2, 1, 0], 3)
  assert found["arms"][1]["confidence"] == [0.5] * 3


def test_seeds_with_their_own_bins_are_spread_over_common_ones():
  seen = [
    Seen(0, 0, np.array([2.0, 2.0]), np.array([0.0, 1.0, 2.0])),
    Seen(1, 0, np.array([4.0, 0.0]), np.array([2.0, 3.0, 4.0])),
  ]
  found = pooled(seen)
  assert found["counts"] == [4, 4]
  assert (found["low"], found["high"], found["seeds"]) == (0, 4, 2)
  assert pooled([]) is None
  uneven = Seen(0, 0, np.array([1.0, 1.0]), np.array([0.0, 1.0, 10.0]))
  assert pooled([uneven])["edges"] == [0, 1, 10]


def test_arms_differ_where_their_configs_do():
  table = arms.differences(CONFIG)
  assert table.columns == ("arm", "optimizer.learning_rate")
  assert table.rows == (("a", "0.1"), ("b", "1"))
  assert arms.differences({"arms": {"a": {}}}).rows == ()


@pytest.mark.parametrize("color", [*PALETTE, *MORE])
def test_colours_in_the_dark_are_seen(color):
  dark = arms.colours(Look(color))["dark"]
  rgb = [int(dark[place : place + 2], 16) for place in (1, 3, 5)]
  assert arms._contrast(rgb) >= 4


def test_json_cannot_end_the_script_that_it_stands_in():
  value = {"arm": "</script><script>alert(1)</script>", "x": [None, 0.5]}
  text = embed(value)
  assert "<" not in text
  assert json.loads(text) == value


def test_numbers_are_short_and_strict():
  assert numbers.short([[float("inf"), 1.0], [0.123456, None]]) == [
    [None, 1], [0.12346, None],
  ]  # fmt: skip
  assert numbers.spaced(10, 3)[::2] == [0, 9]


def test_the_page_has_every_script():
  whole = script()
  assert all(whole.count(f"function {name}(") == 1 for name in
             ("element", "curvesPart", "predictionsPart", "start"))  # fmt: skip
  assert len(set(SCRIPTS)) == len(SCRIPTS)


def test_one_page_of_runs_kept_or_not(folder, tmp_path):
  report.export_run(folder, tmp_path / "kept" / "two")
  finding = tmp_path / "kept" / "two" / "finding.md"
  finding.write_text("*It works* <b>indeed</b>.")
  (tmp_path / "kept" / "empty").mkdir()
  done = report.write_page(
    [folder.parent, tmp_path / "kept"], tmp_path / "out" / "page.html"
  )
  text = done.page.read_text().replace(plotly(), "")
  assert done.experiments == 2
  assert text.count('class="experiment"') == 2
  assert "<em>It works</em> &lt;b&gt;indeed&lt;/b&gt;" in text
  assert "1 of 1 hold" in text
  assert 'href="#experiment-2"' in text


def test_what_is_kept_gives_the_same_curves(folder, tmp_path, data):
  report.export_run(folder, tmp_path / "two")
  kept = payload(read_experiment(tmp_path / "two"))
  assert kept["curves"] == data["curves"]
  assert kept["values"] == data["values"]
  assert kept["histograms"] == []


def test_a_kept_grid_is_the_one_that_was_run():
  rows = [
    {"arm": "a", "seed": seed, "step": 20, "loss": l2 + seed,
     "diverged_step": 20 if seed and l2 else None, "point": {"l2": l2, "x": x}}
    for l2 in (0.0, 0.5) for x in (1, 2) for seed in (0, 1)
  ]  # fmt: skip
  kept = results.thin(results.Measured({}, rows))
  grid = results.Measured({}, results.thick(kept).rows).grids["a"]
  assert grid.points == ((0.0, 1), (0.0, 2), (0.5, 1), (0.5, 2))
  assert grid.stack("loss").values[:, :, 0].tolist() == [
    [0, 1], [0, 1], [0.5, 1.5], [0.5, 1.5],
  ]  # fmt: skip
  assert grid.diverged == ({}, {}, {1: 20}, {1: 20})
  with pytest.raises(ValueError, match="export the run again"):
    results.thick({"curves": [{}]})


def test_what_is_wrong_is_said_in_one_line(tmp_path):
  with pytest.raises(UserError, match="none holds a config"):
    report.write_page([tmp_path], tmp_path / "page.html")
  with pytest.raises(UserError, match="x is not a directory"):
    report.write_page([tmp_path / "x"], tmp_path / "page.html")
  (tmp_path / "run").mkdir()
  (tmp_path / "run" / "config.json").write_text("{}")
  with pytest.raises(UserError, match=r"config\.json does not hold a config"):
    report.write_page([tmp_path], tmp_path / "page.html")
