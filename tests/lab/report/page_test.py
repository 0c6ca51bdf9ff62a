"""What the page is made of: charts with sliders, tables, one page of many."""

import json

import pytest

from bnjax.lab import report, results
from bnjax.lab.errors import UserError
from bnjax.lab.report.page import plotly, read_experiment
from bnjax.lab.report.page.charts import charts
from bnjax.lab.report.page.claims import claimed
from bnjax.lab.report.page.differences import differences
from bnjax.lab.report.page.points import points
from bnjax.lab.report.page.predictions import predictions
from bnjax.lab.report.render import NONE
from bnjax.lab.report.templating import embed

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


def charts_of(folder):
  one = read_experiment(folder)
  found = charts(one.run, one.summary)
  return {chart.name: chart for chart in found}


def ys(chart, role="hovertemplate"):
  return [trace["y"] for trace in chart.plotly["data"] if role in trace]


def test_the_main_chart_is_an_accuracy_and_all_else_is_there_too(folder):
  found = charts_of(folder)
  assert [(c.name, c.main, c.more) for c in found.values()] == [
    ("accuracy", True, False),
    ("loss", False, False),
    ("values 20", False, False),
    ("seen", False, True),
    ("size", False, True),
    ("middle of layer_2", False, True),
    ("middle of layer_10", False, True),
  ]
  assert found["accuracy"].heading == "Test accuracy"
  assert "line: mean of 2 seeds" in found["accuracy"].caption
  seeds = ys(found["accuracy"])[:3]
  assert seeds == [[0.4, 0.5, 0.6], [0.5, 0.6, 0.7], [0.45, 0.55, 0.65]]


def test_sliders_lead_through_the_steps_of_probes(folder):
  found = charts_of(folder)
  frames = found["size"].plotly["frames"]
  assert [frame["name"] for frame in frames] == ["step 0", "step 10", "step 20"]
  assert found["seen"].plotly["frames"][2]["data"] == [
    {key: trace[key] for key in ("x", "y", "customdata")}
    for trace in found["seen"].plotly["data"]
  ]
  assert found["middle of layer_2"].plotly["frames"] == []


def test_a_grid_has_curves_at_each_of_its_points(tmp_path):
  config = {"arms": {"a": {}}, "steps": 20,
            "grid": {"l2": (0.0, 0.5), "x": ("he", 1)}}  # fmt: skip
  results.write_json(tmp_path / "config.json", {"config": config})
  results.write_json(tmp_path / "environment.json", {})
  results.append_rows(tmp_path / "metrics.jsonl", [
    {"arm": "a", "seed": 0, "step": step, "loss": 1 + l2 + step,
     "validation_accuracy": l2, "point": {"l2": l2, "x": x}}
    for l2 in (0.0, 0.5) for x in ("he", 1) for step in (0, 20)])  # fmt: skip
  edges = {"edges": [0.0, 1.0, 2.0], "values": [1, 3]}
  results.append_rows(tmp_path / "probes.jsonl", [
    {"arm": "a", "seed": 0, "step": 20, "layer": "h_1", "probe": probe,
     "point": {"l2": l2, "x": x}} | own
    for l2 in (0.0, 0.5) for x in ("he", 1)
    for probe, own in (("seen", edges), ("size", {"values": 1 + l2}),
                       ("middle", {"values": [l2, 1.0]}))])  # fmt: skip
  found = charts_of(tmp_path)
  assert [(chart.name, chart.more) for chart in found.values()] == [
    ("heat_map", False), ("map of loss", True),
    ("grid curves of validation_accuracy", False),
    ("grid curves of loss", True), ("grid seen", True), ("grid size", True),
    ("grid middle of h_1", True),
  ]  # fmt: skip
  frames = found["grid size"].plotly["frames"]
  assert [frame["data"][0]["y"] for frame in frames] == [[1], [1], [1.5], [1.5]]
  assert len(found["grid seen"].plotly["frames"]) == 4
  frames = found["grid curves of loss"].plotly["frames"]
  assert {frame["name"]: frame["data"][0]["y"] for frame in frames} == {
    "l2 0, x 1": [1, 21], "l2 0, x he": [1, 21],
    "l2 0.5, x 1": [1.5, 21.5], "l2 0.5, x he": [1.5, 21.5],
  }  # fmt: skip


def test_points_that_set_other_fields_are_lines_too(tmp_path):
  decay = "norm.decay"
  at = [{decay: 0.9, "seed": 3}, {"norm.name": "none"}, {decay: 0.5},
        {"model.channels": [4, 8]}]  # fmt: skip
  losses = [2.0, None, 20.0, 200.0]
  config = {"steps": 1, "arms": {"a": {}}}
  results.write_rules(tmp_path, results.Rules(title="x"))
  results.write_json(tmp_path / "config.json", {"config": config})
  results.write_json(tmp_path / "environment.json", {})
  results.append_rows(tmp_path / "metrics.jsonl", [
    {"arm": "a", "seed": 0, "step": 1, "point": point, "loss": loss}
    for point, loss in zip(at, losses, strict=True)])  # fmt: skip
  found = points(read_experiment(tmp_path).run)
  fields = {own["name"]: own for own in found["fields"]}
  assert {name: own["says"] for name, own in fields.items()} == {
    "channels": ["(4, 8)", NONE, NONE, NONE],
    "decay": [NONE, "0.5", "0.9", NONE],
    "norm": [NONE, NONE, NONE, "none"], "seed": [NONE, NONE, "3", NONE],
  }  # fmt: skip
  # Numbers in their order, then what does not set the field.
  assert fields["decay"]["texts"] == ["0.5", "0.9", NONE]
  assert fields["decay"]["at"] == fields["decay"]["group"] == [2, 0, 1, 2]
  (loss,) = found["metrics"]
  assert loss["last"] == [200, 20, 2, None]
  assert loss["at"] == pytest.approx([2.30103, 1.30103, 0.30103, None])
  assert (loss["ticks"], loss["texts"]) == ([1, 2], ["10", "100"])


def test_where_there_are_only_rows_the_first_has_a_legend(tmp_path):
  make(tmp_path)
  final = results.Final(metrics=("test_accuracy",))
  results.write_rules(tmp_path, results.Rules(figures={"end": final}))
  (tmp_path / results.SUMS).unlink(missing_ok=True)  # changed by hand
  (tmp_path / "probes.jsonl").unlink()
  rows = [run | {"test_accuracy": 0.5} for run in runs() if run["step"] == 20]
  (tmp_path / "metrics.jsonl").unlink()
  results.append_rows(tmp_path / "metrics.jsonl", rows)
  found = charts_of(tmp_path)
  assert [trace["name"] for trace in found["end"].plotly["data"]
          if trace["showlegend"]] == ["a", "b"]  # fmt: skip


def test_what_is_kept_gives_the_same_charts(folder, tmp_path):
  report.export_run(folder, tmp_path / "two")
  kept, found = charts_of(tmp_path / "two"), charts_of(folder)
  for name in ("accuracy", "loss", "values 20"):
    assert kept[name].plotly == found[name].plotly
  assert len(kept) == 3


def test_the_pictures_of_a_kept_run_are_those_of_its_figures(folder, tmp_path):
  kept = tmp_path / "kept"
  final = results.Final(metrics=("loss",))
  rules = results.Rules(figures=dict.fromkeys(("a", "link", "text"), final))
  report.export_run(folder, kept, rules=rules)
  (kept / "link.png").unlink()
  (kept / "link.png").symlink_to(kept / "a.png")
  (kept / "foreign.png").write_bytes((kept / "a.png").read_bytes())
  (kept / "text.png").write_text("no picture")
  (kept / "finding.md").symlink_to(kept / "config.json")
  one = read_experiment(kept)
  assert (list(one.pictures), one.finding) == (["a"], "")


def test_predictions_come_in_columns_by_disagreement(folder):
  rows = read_experiment(folder).predictions
  found = predictions(rows, False, ["a", "b"])
  assert (found["index"], found["of"]) == ([2, 1, 0], 3)
  assert found["arms"][1]["confidence"] == [0.5] * 3
  with pytest.raises(ValueError, match="not as this version writes it"):
    predictions([{"index": 1}], False, [])


def test_arms_differ_where_their_configs_do():
  table = differences(CONFIG)
  assert table.columns == ("arm", "optimizer.learning_rate")
  assert table.rows == (("a", "0.1"), ("b", "1"))
  assert differences({"arms": {"a": {}}}).rows == ()


def test_json_cannot_end_the_script_that_it_stands_in():
  value = {"arm": "</script><script>alert(1)</script>", "x": [None, 0.5]}
  text = embed(value)
  assert "<" not in text
  assert json.loads(text) == value


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
  assert "0 of 1 hold, 1 undecided" in text
  assert 'href="#experiment-2"' in text


def test_every_claim_and_number_is_a_row_of_the_page(tmp_path):
  rules = results.Rules(
    title="T", published=(NUMBER,), claimed={"B 2018": ("c",)},
    claims={
      "c": results.greater(
        "b is better", "b", "a", published="far", setting="late"
      ),
      "d": results.within(0.5, "b is near .6", "b", 0.6, ratio=False),
    },
  )  # fmt: skip
  make(tmp_path / "one")
  results.write_rules(tmp_path / "one", rules)
  results.write_summary(tmp_path / "one")
  first, second, number = claimed(read_experiment(tmp_path / "one"))
  assert first == (
    "B 2018", "b is better (late)", "+0.0000 [+0.0000, +0.0000]", "far", "> 0",
    "does not hold", "does not hold",
  )  # fmt: skip
  assert (second.source, second.published) == ("this project", NONE)
  assert (second.asked, second.color) == ("within ±0.5", "undecided"), second
  assert (number.source, number.text) == ("a post", "Test accuracy: a")
  assert number.published == "0.6000 ± 0.1000"
  assert number.measured.startswith("0.6500 ± 0.0500, difference +0.0500 [")
  (tmp_path / "two").mkdir()
  done = report.write_page([tmp_path], tmp_path / "page.html")
  text = done.page.read_text().replace(plotly(), "")
  assert text.count('<td class="long">b is better (late)</td>') == 1
  table = text[text.index('id="claims"') :]
  assert '<a href="#experiment-1">one</a><code>python x.py</code>' in table
  assert "3 of them" in text
  alone = report.write_report(tmp_path / "one").page  # it has a list already
  assert 'id="claims"' not in alone.read_text()


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
  with pytest.raises(UserError, match=r"config\.json: config is None"):
    report.write_page([tmp_path], tmp_path / "page.html")
