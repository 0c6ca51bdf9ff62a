"""Both renderers draw every mark: Matplotlib in files, Plotly on the page."""

import itertools
import json
import pathlib
import re
import struct

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bnjax.lab import report, results
from bnjax.lab.errors import UserError
from bnjax.lab.report import on_paper
from bnjax.lab.report.figures import draw_figures
from bnjax.lab.report.marks import (
  Axis,
  Bar,
  Cells,
  Figure,
  Interval,
  Level,
  Line,
  Panel,
  Points,
  Ridge,
)
from bnjax.lab.report.on_page import short, to_plotly
from bnjax.lab.report.on_paper.end_labels import spread
from bnjax.lab.report.run import read_run
from bnjax.lab.results import Curves, Final, Rules, StepsTo, aggregate
from bnjax.lab.results.recorded import Recorded

NASTY = r"$\frac{<script>|$"
LONG = "an arm of a very long name, much too long for a column"
X = np.arange(3.0)
LINE = Line(
  NASTY, "#0072b2", X, X + 1, low=X + 0.5, high=np.array([2, 3, np.nan]),
  seeds={0: X + 0.5, 7: X + 1.5}, label=NASTY,
)  # fmt: skip
OTHER = Line(LONG, "#d55e00", X, X + 2, symbol="o", label=LONG)
BORDER = Line("b", "#d55e00", X - 1, X, dashed=True, width=2.0)  # over cells
DASHED = Line("b", "#0072b2", X, X, symbol="D", dashed=True)
CROSS = Points(NASTY, "#0072b2", X[:1], X[:1], symbol="X", says=["seed 0"])
DIAMOND = Points(
  "b, published", "#0072b2", X[:1] + 1, X[:1] + 1, error=X[:1] + 0.5,
  symbol="D", filled=False,
)  # fmt: skip
CELLS = Cells(
  "b", np.array([[0.2, 0.9], [np.nan, 0.95]]), low=0.0, high=1.0,
  threshold=0.9, crosses=np.array([[0.0, 0.5], [1.0, 0.0]]),
  says=[["a", "<b>"], ["c", "d"]], label="accuracy",
)  # fmt: skip
ROWS = Axis(
  names=[NASTY, LONG], colors=["#0072b2", "#d55e00"], low=1.5, high=-0.5
)
CURVES = Figure(
  [Panel([LINE, OTHER, DASHED, Level("#0072b2", 1.5), CROSS, DIAMOND],
         Axis(label="step", low=0, high=2, switch=True),
         Axis(label=NASTY, log=True, switch=True), title=NASTY)],
  caption=["line: a mean", "", "dashed: published"],
)  # fmt: skip
FIGURES = {
  "curves": CURVES,
  "range": Figure(
    [Panel([Line("a", "#0072b2", X, X + 1), Level("#0072b2", 1.0, 2.0)],
           Axis(log=True, low=0, high=2), Axis())]
  ),
  "rows": Figure(
    [Panel([Interval("a", "#0072b2", 0.0, 1.0, 0.0),
            Points("a", "#0072b2", X, X * 0, filled=False), DIAMOND],
           Axis(log=True, low=0.1, high=2.0), ROWS)] * 2,
    title="two", columns=2, share="y",
  ),
  "bars": Figure(
    [Panel([Bar("a", "#0072b2", 0.0, 5.0, "5", 6.0),
            Bar("b", "#d55e00", 1.0, 5.0, "≥ 5 <b>", 6.0, bound=True)],
           Axis(low=0, high=8), ROWS)]
  ),
  "ridges": Figure(
    [Panel([Ridge("a", "#0072b2", 0.0, X, np.array([0.2, 0.8]), log=log,
                  note="3% zero")], Axis(powers=log), ROWS)
     for log in (True, False)], columns=2, share="y",
  ),
  "cells": Figure(
    [Panel([CELLS, BORDER], Axis(names=["1", "2"], low=-0.5, high=1.5),
           Axis(names=["1", "2"], low=-0.5, high=1.5, label="x"),
           title="b", note="5% train")] * 3, columns=2, height=0.0, share="xy",
  ),
}  # fmt: skip


@pytest.mark.parametrize("width", [3.3, None])
@pytest.mark.parametrize("name", FIGURES)
def test_files_are_exactly_as_wide_and_the_same_each_time(
  tmp_path, name, width
):
  before = dict(matplotlib.rcParams)
  forms = list(on_paper.METADATA)
  png, pdf, svg = on_paper.save(FIGURES[name], tmp_path, name, forms, width)
  assert dict(matplotlib.rcParams) == before
  columns = FIGURES[name].columns
  wide = width or 6.4 + 0.8 * (columns - 1)
  pixels, _ = struct.unpack(">II", png.read_bytes()[16:24])
  assert pixels / (300 if wide < 4.5 else 200) == pytest.approx(wide, abs=0.01)
  found = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", pdf.read_bytes())
  assert float(found[1]) / 72 == pytest.approx(wide, abs=0.01)
  assert b"/Type3" not in pdf.read_bytes()
  assert b"CreationDate" not in pdf.read_bytes()
  assert b"<dc:date>" not in svg.read_bytes()
  if name != "curves":
    return
  once = svg.read_bytes()
  on_paper.save(FIGURES[name], tmp_path, name, forms, width)
  assert svg.read_bytes() == once


def test_a_line_of_nothing_but_nan_is_named():
  lost = Line("lost", "#d55e00", X, np.full(3, np.nan), label="lost")
  found = Line("found", "#0072b2", X, X, label="found")
  figure = Figure([Panel([found, lost], Axis(label="step"), Axis(label="y"))])
  with matplotlib.rc_context(on_paper.settings(6.4)):
    (axes,) = on_paper.draw(figure).axes
    assert {"found", "lost"} <= {text.get_text() for text in axes.texts}


def test_names_are_text_and_are_written_once(tmp_path):
  for width in (3.3, 6.4):
    (svg,) = on_paper.save(CURVES, tmp_path, "x", ["svg"], width)
    text = re.sub(r"<!--.*?-->", "", svg.read_text())
    assert r"$\frac{&lt;script&gt;|$" in text
    assert text.count(f">{LONG[:39]}…<") == 1
    assert "line: a mean  ·  dashed: published" in text


def test_marks_are_drawn_where_they_are():
  with matplotlib.rc_context(on_paper.settings(6.4)):
    (axes,) = on_paper.draw(CURVES).axes
    heat = on_paper.draw(FIGURES["cells"]).axes[0]
    bars = on_paper.draw(FIGURES["bars"]).axes[0]
  first, second, dashed, level = axes.lines[:4]
  assert first.get_ydata().tolist() == [1, 2, 3]
  assert second.get_color() == "#d55e00"
  assert (dashed.get_linestyle(), dashed.get_marker()) == ("--", "D")
  assert level.get_ydata() == [1.5, 1.5]
  assert axes.get_yscale() == "log"
  assert axes.get_xlim() == (0, 2)
  mesh = heat.collections[0]
  assert np.ma.filled(mesh.get_array(), -1).ravel().tolist() == [
    0.2, 0.9, -1, 0.95,
  ]  # fmt: skip
  assert mesh.get_clim() == (0, 1)
  assert [bar.get_width() for bar in bars.patches] == [5, 5]
  assert [bar.get_hatch() for bar in bars.patches] == [None, "////"]
  assert [t.get_text() for t in bars.get_yticklabels()] == [
    NASTY, f"{LONG[:33]}…",
  ]  # fmt: skip


def test_steps_from_0_have_a_logarithmic_axis_with_a_place_for_0():
  with matplotlib.rc_context(on_paper.settings(6.4)):
    (axes,) = on_paper.draw(FIGURES["range"]).axes
  assert axes.get_xscale() == "symlog"
  assert axes.get_xticks().tolist() == [0, 1, 2]


# On the page


def by_role(drawn, name):
  return [trace for trace in drawn["data"] if trace["name"] == name]


def test_traces_have_the_numbers_and_no_markup():
  drawn = to_plotly(CURVES)
  plain = r"$\frac{&lt;script&gt;|$"
  band, *seeds, mean, cross = by_role(drawn, plain)
  assert (band["x"], band["y"]) == ([0, 1, 1, 0], [2, 3, 1.5, 0.5])
  assert [trace["y"] for trace in seeds] == [[0.5, 1.5, 2.5], [1.5, 2.5, 3.5]]
  assert [trace["opacity"] for trace in seeds] == [0, 0]
  assert mean["y"] == [1, 2, 3]
  assert mean["showlegend"]
  assert not seeds[0]["showlegend"]
  assert cross["customdata"] == [", seed 0"]
  (published,) = by_role(drawn, "b, published")
  assert published["error_y"]["array"] == [0.5]
  assert published["legendgroup"] == "b"
  (shape,) = drawn["layout"]["shapes"]
  assert (shape["y0"], shape["line"]["dash"]) == (1.5, "dash")
  assert drawn["layout"]["xaxis"]["range"] == [0, 2]
  assert drawn["layout"]["yaxis"]["type"] == "log"
  assert drawn["layout"]["yaxis"]["title"]["text"] == plain


def test_buttons_switch_axes():
  x, y = to_plotly(CURVES)["layout"]["updatemenus"]
  assert [menu["buttons"][0]["label"] for menu in (x, y)] == ["log x", "log y"]
  assert y["buttons"][0]["args"][0]["yaxis.type"] == "linear"
  assert y["buttons"][0]["args2"][0]["yaxis.type"] == "log"
  assert (x["active"], y["active"]) == (-1, -1)


def test_a_slider_leads_through_frames():
  moved = lambda y: Figure(
    [Panel([Line("a", "#0072b2", X, X + y), *extra], Axis(), Axis())]
  )
  extra = [Line("b", "#d55e00", X, X)]
  last = moved(2)
  extra = []
  drawn = to_plotly(last, {"step 0": moved(0), "step 2": last})
  assert drawn["frames"][0]["name"] == "step 0"
  first, second = drawn["frames"][0]["data"]
  assert first["y"] == [0, 1, 2]
  assert second == {"x": [], "y": []}  # what a step has nothing of is empty
  assert drawn["frames"][0]["traces"] == [0, 1]
  (slider,) = drawn["layout"]["sliders"]
  assert [step["label"] for step in slider["steps"]] == ["step 0", "step 2"]
  assert slider["active"] == 1


def test_cells_bars_and_rows_on_the_page():
  cells, *fence, crosses = to_plotly(FIGURES["cells"])["data"][:4]
  assert cells["z"] == [[0.2, 0.9], [None, 0.95]]
  assert cells["customdata"][0][1] == "&lt;b&gt;"
  assert fence[0]["x"] == [0.5, 0.5, None, 0.5, 0.5, None]
  assert crosses["x"] == [1, 0]
  bar, text, *_ = to_plotly(FIGURES["bars"])["data"]
  assert (bar["x"], text["text"]) == ([5], ["  5"])
  rows = to_plotly(FIGURES["rows"])
  assert rows["layout"]["yaxis2"]["matches"] == "y"
  assert rows["layout"]["meta"]["names"]["y"] == [NASTY, LONG]
  ridge = to_plotly(FIGURES["ridges"])["data"][1]
  assert ridge["customdata"] == [0, 0.2, 0.2, 0.8, 0.8, 0]


def test_a_line_over_cells_is_dashed_as_wide_as_it_says():
  canvas = on_paper.draw(FIGURES["cells"])
  axes = canvas.axes[0]
  (drawn,) = (line for line in axes.lines if line.get_linestyle() == "--")
  assert (drawn.get_linewidth(), drawn.get_clip_on()) == (2.0, True)
  assert axes.get_xlim() == (-0.5, 1.5)
  found = [t for t in to_plotly(FIGURES["cells"])["data"] if "line" in t]
  dashed = next(t["line"] for t in found if t["line"].get("dash"))
  assert dashed == {"color": "#d55e00", "dash": "dash", "width": 2.6}


def test_every_layout_and_trace_is_one_that_plotly_knows():
  graph = pytest.importorskip("plotly.graph_objects")
  folder = pathlib.Path(report.__file__).parent / "templates"
  look = json.loads((folder / "look.json").read_text())
  for figure in FIGURES.values():
    drawn = to_plotly(figure, {"a": figure, "b": figure})
    drawn["layout"].pop("meta")
    drawn["layout"]["template"] = {"layout": look}
    graph.Figure(drawn["data"], drawn["layout"])


def test_numbers_are_short_and_strict():
  assert short([[float("inf"), 1.0], [0.123456, None]]) == [
    [None, 1], [0.12346, None],
  ]  # fmt: skip
  assert aggregate.spaced(10, 3)[::2] == [0, 9]


# Labels


places = st.lists(st.floats(0, 1), max_size=12)


@settings(deadline=None)
@given(places, st.floats(0.01, 0.5))
def test_labels_do_not_overlap_and_stay_inside(wishes, gap):
  got = spread(wishes, gap)
  room = min(gap, 1 / max(len(wishes) - 1, 1))
  gaps = [b - a for a, b in itertools.pairwise(sorted(got))]
  assert all(distance >= room - 1e-9 for distance in gaps)
  assert all(-1e-9 <= place <= 1 + 1e-9 for place in got)
  by_wish = sorted(range(len(wishes)), key=lambda i: wishes[i])
  assert [got[i] for i in by_wish] == sorted(got)


@settings(deadline=None)
@given(places)
def test_labels_with_room_stay_where_they_are(wishes):
  kept = sorted({round(wish, 1) for wish in wishes})
  np.testing.assert_allclose(spread(kept, 0.09), kept, atol=1e-9)


# The figures of a run


ENVIRONMENT = {"datasets": [{"name": "mnist", "train": 640}]}


def rows(loss=1.0):
  return [{"arm": "a", "seed": 0, "step": s, "loss": loss} for s in (1, 2)]


@pytest.mark.parametrize("loss", [0.0, -1.0, None])
def test_losses_that_no_logarithm_takes_are_drawn(tmp_path, loss):
  run = read_run(results.Workdir({}, {}, rows(loss), [], []))
  files = draw_figures(run, tmp_path)
  assert [path.name for path in files] == ["loss.png"]


def test_rules_choose_the_figures(tmp_path):
  chosen = {
    "speed": StepsTo(metric="loss", thresholds=(1.5,), at_least=False),
    "nothing": Curves(metrics=("nothing",)),
    "end": Final(metrics=("loss",)),
  }
  config = {"steps": 2, "arms": {"a": {}}}
  run = results.Workdir(config, ENVIRONMENT, rows(), [], [])
  draw = lambda figures: draw_figures(
    read_run(run._replace(recorded=Recorded(Rules(figures=figures)))),
    tmp_path,
    ["svg"],
  )
  files = draw(chosen)
  assert [path.name for path in files] == ["speed.svg", "end.svg"]
  with pytest.raises(
    ValueError, match=r"figures\.x: an x axis of epochs needs"
  ):
    draw({"x": Curves(metrics=("loss",), epochs=True)})


def test_figures_for_a_paper_leave_the_report_alone(tmp_path):
  results.write_json(tmp_path / "config.json", {"config": {}})
  results.write_json(tmp_path / "environment.json", ENVIRONMENT)
  results.append_rows(tmp_path / "metrics.jsonl", rows())
  (path,) = report.write_figures(tmp_path)
  assert path == tmp_path / "report" / "paper" / "loss.pdf"
  for shown in (True, False):
    (path,) = report.write_figures(
      tmp_path, formats=["svg"], title=shown, caption=shown
    )
    text = path.read_text()
    assert ("Training loss" in text, "line: mean" in text) == (shown, shown)
    assert "training step" in text
  for width in (33, float("nan")):
    with pytest.raises(
      UserError, match=r"--width: \w+ inches; between 2\.5 an"
    ):
      report.write_figures(tmp_path, width=width)
  with pytest.raises(UserError, match="--format: 'pfd' is not known; did you"):
    report.write_figures(tmp_path, formats=["pfd"])
  with pytest.raises(UserError, match="config"):
    report.write_figures(tmp_path / "report")
