"""What marks each kind of figure makes of what was measured."""

import dataclasses
import itertools
import json
import sys
import types

import numpy as np
import pytest
from matplotlib import colors

from bnjax.lab.report.figures import make_figures, usual
from bnjax.lab.report.kinds import make
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
from bnjax.lab.report.run import read_run
from bnjax.lab.report.style import (
  KNOWN,
  MORE,
  PALETTE,
  contrast,
  looks,
  night_colors,
)
from bnjax.lab.report.wording import number_text, unit
from bnjax.lab.results import (
  PublishedCurve,
  PublishedNumber,
  Rules,
  Workdir,
  figure_kinds as kinds,
  greater,
  less,
)
from bnjax.lab.results.recorded import Recorded

LR, SCALE = "optimizer.learning_rate", "model.init_scale"
ENVIRONMENT = {"datasets": [{"name": "mnist", "train": 640}]}
ARMS = {"batch_norm": {}, "no_batch_norm": {"batch_size": 32}}
CONFIG = {
  "arms": ARMS, "steps": 20, "batch_size": 64, "dataset": {"name": "mnist"},
}  # fmt: skip
BLUE, RED = (looks(ARMS)[arm].color for arm in ARMS)


def row(arm, seed, step, **metrics):
  return {"arm": arm, "seed": seed, "step": step, **metrics}


def rows():
  for arm, seed, step in itertools.product(ARMS, (0, 1), (0, 10, 20)):
    accuracy = (0.4 if arm == "batch_norm" else 0.3) + step / 100 + seed / 10
    loss = {"loss": 2.0 - step / 20} if step else {}
    yield row(arm, seed, step, test_accuracy=accuracy, **loss)


def run(found=None, seen=(), published=(), claims=None, **config):
  found = rows() if found is None else found
  rules = Rules(published=published, claims=claims or {})
  return read_run(
    Workdir(CONFIG | config, ENVIRONMENT, list(found), [], list(seen),
            Recorded(rules))
  )  # fmt: skip


def panels(options, *args, **config):
  return make(run(*args, **config), options).panels


def of(panel, kind):
  return [mark for mark in panel.marks if isinstance(mark, kind)]


NUMBER = {"arm": "batch_norm", "metric": "test_accuracy", "step": 20,
          "dataset": "mnist", "source": "x"}  # fmt: skip


# Curves


def test_curves_are_means_with_bands_and_seeds():
  options = kinds.Curves(metrics=("test_accuracy", "loss", "nothing"))
  accuracy, loss = panels(options)
  first, second = accuracy.marks
  assert (first.name, first.color, second.color) == ("batch_norm", BLUE, RED)
  assert first.x.tolist() == [0, 10, 20]
  np.testing.assert_allclose(first.y, [0.45, 0.55, 0.65])
  np.testing.assert_allclose([first.low[2], first.high[2]], [0.6, 0.7])
  np.testing.assert_allclose(first.seeds[1], [0.5, 0.6, 0.7])
  assert loss.marks[1].x.tolist() == [10, 20]
  assert (accuracy.y.log, loss.y.log) == (False, True)
  assert (accuracy.x.label, accuracy.y.label) == (
    "training step (minibatches)", "fraction correct",
  )  # fmt: skip
  assert make(run(), kinds.Curves(metrics=("nothing",))) is None


def test_the_verdict_on_a_claim_stands_beside_its_panel():
  claims = {
    "better": greater("it is better", *ARMS),
    "less": less("its loss is less", *ARMS, "loss"),
  }
  metrics = ("test_accuracy", "loss", "loss")
  options = kinds.Curves(metrics=metrics, claims=("better", "less", "else"))
  verdicts = [panel.note for panel in panels(options, claims=claims)]
  assert verdicts == [
    "holds: +0.1000 [+0.1000, +0.1000]",
    "does not hold: +0.000 [+0.000, +0.000]",
    "",
  ]


def test_an_axis_of_what_is_negative_at_times_is_linear():
  found = [row("a", 0, step, change=x) for step, x in ((0, 1.0), (9, -0.5))]
  options = kinds.Curves(metrics=("change",))
  assert not panels(options, found, arms={"a": {}})[0].y.log
  found[1]["change"] = 0.5
  assert panels(options, found, arms={"a": {}})[0].y.log


def test_curves_of_chosen_arms_on_chosen_axes():
  (panel,) = panels(
    kinds.Curves(metrics=("test_accuracy",), arms=("no_batch_norm",),
                 log_x=True, low=0.2, high=0.8, title="A title", label="share")
  )  # fmt: skip
  assert [mark.name for mark in panel.marks] == ["no_batch_norm"]
  assert (panel.x.log, panel.y.low, panel.y.high) == (True, 0.2, 0.8)
  assert (panel.title, panel.y.label) == ("A title", "share")


@pytest.mark.parametrize(
  ("ends", "low", "high"),
  [
    ((0.95, 0.93), 0.9, 1.002),  # within a tenth: what is seen after a quarter
    ((0.95, 0.75), 0.0, 1.02),
    ((0.55, 0.44), 0.4, 0.604),  # or little more than that
    ((0.45, 0.44), 0.4, 0.502),  # and to the tenth above all
    ((0.2, 0.1), 0.0, 0.306),
  ],
)
def test_the_axis_of_accuracies_follows_arms_within_a_tenth(ends, low, high):
  found = [row(arm, 0, step, test_accuracy=value if step else 0.1)
           for arm, value in zip("ab", ends, strict=True)
           for step in (0, 10, 20)]  # fmt: skip
  options = kinds.Curves(metrics=("test_accuracy",))
  (panel,) = panels(options, found, arms={"a": {}, "b": {}})
  assert panel.y.low == pytest.approx(low)
  assert panel.y.high == pytest.approx(high, abs=1e-9)


def test_limits_that_all_values_are_beyond_are_passed_over():
  at = lambda low: panels(kinds.Curves(metrics=("test_accuracy",), low=low))
  assert at(0.5)[0].y.low == 0.5
  assert at(0.9)[0].y == at(None)[0].y


def test_curves_over_epochs_count_each_arms_own_minibatches():
  options = kinds.Curves(metrics=("test_accuracy",), epochs=True)
  (panel,) = panels(options)
  # 640 examples: 20 steps of 64 are 2 epochs, of 32 one.
  assert [m.x.tolist() for m in panel.marks] == [[0, 1, 2], [0, 0.5, 1]]
  bare = read_run(Workdir(CONFIG, {}, list(rows()), [], []))
  with pytest.raises(ValueError, match="needs batch_norm's batch_size and"):
    make(bare, options)


def test_what_is_published_is_dashed_in_its_arms_colour():
  options = kinds.Curves(metrics=("test_accuracy",))
  number = PublishedNumber(mean=0.6, std=0.1, seeds=5, **NUMBER)
  (panel,) = panels(options, published=[number])
  (level,), (mark,) = of(panel, Level), of(panel, Points)
  assert (level.low, level.color) == (0.6, BLUE)
  assert (mark.x, mark.y, mark.error, mark.symbol) == (20, 0.6, 0.1, "D")
  number = PublishedNumber.of_range(0.5, 0.6, **NUMBER)
  (panel,) = panels(options, published=[number])
  (band,) = of(panel, Level)
  assert (band.low, band.high) == (0.5, 0.6)
  curve = PublishedCurve(arm="batch_norm", metric="test_accuracy",
                         steps=(10, 20), values=(0.4, 0.5),
                         dataset="cifar")  # fmt: skip
  figure = make(run(published=[curve]), options)
  (line,) = [m for m in figure.marks(Line) if m.dashed]
  assert (line.x.tolist(), line.y.tolist()) == ([10, 20], [0.4, 0.5])
  assert "dashed: published on cifar (ours: mnist)" in figure.caption


@pytest.mark.parametrize(
  ("values", "y"), [((0.75, 0.125), 0.75), ((None, None), 1.0)]
)
def test_a_cross_is_where_a_run_diverged(values, y):
  found = [row("a", 0, step, test_accuracy=value, diverged_step=15)
           for step, value in zip((10, 20), values, strict=True)]  # fmt: skip
  options = kinds.Curves(metrics=("test_accuracy",))
  (panel,) = panels(options, found, arms={"a": {}})
  (cross,) = of(panel, Points)
  assert (cross.symbol, cross.x, cross.y) == ("X", 15, y)


def test_a_run_of_no_steps_is_a_dot():
  options = kinds.Curves(metrics=("test_accuracy",), log_x=True)
  (panel,) = panels(options, [row("a", 0, 0, test_accuracy=0.1)], steps=0)
  assert (panel.marks[0].symbol, panel.marks[0].y) == ("o", 0.1)


# Grids

FINAL = {
  (0.1, 1.0): (0.95, 0.97, None), (0.1, 5.0): (0.4, 0.4, None),
  (1.0, 1.0): (0.92, 0.94, None), (1.0, 5.0): (None, 0.2, 3),
  (10.0, 1.0): (None, None, 5), (10.0, 5.0): (0.1, 0.1, None),
}  # fmt: skip


def grid_rows(more=()):
  for arm, (point, found), step in itertools.product(
    ARMS, FINAL.items(), (0, 20)
  ):
    for seed in (0, 1):
      value = found[seed] if step else 0.1
      yield row(
        arm, seed, step, validation_accuracy=value,
        point={LR: point[0], SCALE: point[1]} | dict(more),
        diverged_step=found[2] if value is None else None,
      )  # fmt: skip


def grid_run(found=None):
  axes = {LR: (0.1, 1.0, 10.0), SCALE: (1.0, 5.0)}
  return run(grid_rows() if found is None else found, grid=axes)


def test_a_heat_map_shows_means_crosses_and_a_fence():
  figure = make(grid_run(), kinds.HeatMap(x=LR, y=SCALE))
  panel = figure.panels[1]
  (cells,) = panel.marks
  np.testing.assert_allclose(
    cells.values, [[0.96, 0.93, np.nan], [0.4, 0.2, 0.1]]
  )
  assert (cells.low, cells.high, cells.threshold) == (0, 1, 0.9)
  assert cells.crosses.tolist() == [[0, 0, 1], [0, 0.5, 0]]
  # Trained: the first two of the lower row; blank is not trained.
  assert set(cells.fence()) == {
    ((1.5, -0.5), (1.5, 0.5)), ((-0.5, 0.5), (0.5, 0.5)),
    ((0.5, 0.5), (1.5, 0.5)),
  }  # fmt: skip
  assert cells.says[1][1] == (
    "learning rate: 1\ninit scale: 5\nvalidation accuracy: 0.2 ± 0\n"
    "diverged: 50%"
  )
  assert cells.label == "validation accuracy (fraction correct)"
  assert (panel.title, panel.note) == ("no_batch_norm", "33% train")
  assert panel.x.label == "learning rate (logarithmic)"
  assert (panel.x.names, panel.y.names) == (["0.1", "1", "10"], ["1", "5"])
  higher = kinds.HeatMap(x=LR, y=SCALE, threshold=0.95)
  assert len(make(grid_run(), higher).marks(Cells)[0].fence()) == 2
  assert make(run(), kinds.HeatMap(x=LR, y=SCALE)) is None
  assert make(grid_run(), kinds.HeatMap(x=LR, y=SCALE, step=7)) is None


def test_a_heat_map_takes_the_best_of_further_fields():
  found = [*grid_rows([("l2", 0)])]
  worse = [r | {"point": r["point"] | {"l2": 1}, "validation_accuracy": 0.0}
           for r in found]  # fmt: skip
  figure = make(grid_run([*found, *worse]), kinds.HeatMap(x=LR, y=SCALE))
  cells = figure.marks(Cells)[0].values
  np.testing.assert_allclose(cells[0, :2], [0.96, 0.93])
  assert "best of 2 settings in each cell" in figure.caption


def test_values_far_apart_are_shown_by_their_logarithms():
  found = [r | {"loss": r["point"][LR] ** 4} for r in grid_rows()]
  options = kinds.HeatMap(x=LR, y=SCALE, metric="loss")
  (cells, _) = make(grid_run(found), options).marks(Cells)
  np.testing.assert_allclose(cells.values[0], [-4, 0, 4], atol=1e-9)
  assert (cells.low, cells.high, cells.threshold) == (-4, 4, None)


DEPTH, BATCH = "model.depth", "batch_size"
BATCHES = {f"batch_{size}": {"batch_size": size} for size in (32, 4)}


@pytest.mark.parametrize("in_grid", [True, False])
def test_a_heat_map_over_fields_of_the_arms_is_one_panel_of_all(in_grid):
  """Depth is the grid's, or each arm's own; the size of the batch an arm's."""
  arms, found = {}, []
  for arm, own in BATCHES.items():
    for depth, seed in itertools.product((10, 40), (0, 1)):
      value = own["batch_size"] / depth / 10 + seed / 10
      numbers = {"validation_accuracy": value, "diverged_step": None}
      if in_grid:
        arms[arm] = own
        numbers["point"] = {DEPTH: depth}
        found.append(row(arm, seed, 20, **numbers))
      else:
        name = f"{arm}_{depth}"
        arms[name] = own | {"model": {"depth": depth}}
        found.append(row(name, seed, 20, **numbers))
  grid = {"grid": {DEPTH: (10, 40)}} if in_grid else {}
  border = ((10.0, 4.0), (20.0, 32.0), (40.0, 32.0), (400.0, 32.0))
  options = kinds.HeatMap(
    x=DEPTH, y=BATCH, metric="validation_accuracy", title="Which train",
    threshold=0.3, lines={"theory": border},
  )  # fmt: skip
  figure = make(run(found, arms=arms, **grid), options)
  (panel,) = figure.panels
  (cells,), (line,) = of(panel, Cells), of(panel, Line)
  np.testing.assert_allclose(cells.values, [[0.09, 0.06], [0.37, 0.13]])
  assert cells.says[1][0].startswith("depth: 10\nbatch size: 32\n")
  assert (panel.x.names, panel.y.names) == (["10", "40"], ["4", "32"])
  assert (panel.title, figure.title) == ("Which train", "")
  # By logarithms: 20 is halfway from 10 to 40; 400 is beyond the last cell.
  np.testing.assert_allclose(line.x, [0, 0.5, 1, np.nan], atol=1e-9)
  np.testing.assert_allclose(line.y, [0, 1, 1, 1], atol=1e-9)
  assert line.dashed
  assert "dashed: theory" in figure.caption
  assert panel.note == "25% train"


def test_usual_figures():
  assert list(usual(run())) == ["loss", "accuracy"]
  assert usual(grid_run()) == {"heat_map": kinds.HeatMap(x=LR, y=SCALE)}
  one = [r | {"point": {LR: r["point"][LR]}} for r in grid_rows()]
  assert usual(grid_run(one)) == {
    "grid": kinds.Field(x=LR, metrics=("validation_accuracy",))
  }


# Over a field


def test_over_a_grids_field_the_best_of_the_others():
  options = kinds.Field(x=LR, metrics=("validation_accuracy",))
  (panel,) = make(grid_run(), options).panels
  first = panel.marks[0]
  assert first.x.tolist() == [0.1, 1.0, 10.0]
  np.testing.assert_allclose(first.y, [0.96, 0.93, 0.1])
  assert panel.x.log
  assert make(grid_run(), kinds.Field(x="l2", metrics=("loss",))) is None
  less = [r | {"loss": r["point"][SCALE]} for r in grid_rows()]
  (panel,) = make(grid_run(less), kinds.Field(x=LR, metrics=("loss",))).panels
  assert panel.marks[0].y.tolist() == [1, 1, 1]  # the best loss is the least


def test_over_the_arms_own_values_a_line_a_metric():
  early, late = panels(
    kinds.Field(
      x="batch_size", metrics=("test_accuracy", "loss"), steps=(10, 20)
    )
  )
  assert [m.x.tolist() for m in late.marks] == [[32, 64]] * 2
  np.testing.assert_allclose(late.marks[0].y, [0.55, 0.65])
  np.testing.assert_allclose(late.marks[1].y, [1.0, 1.0])
  assert early.title == "After 10 steps"


def test_over_names_and_in_groups():
  arms = {"a": {"norm": {"name": "x"}}, "b": {"norm": {"name": "y"}}}
  found = [row(arm, 0, 20, loss=1.0) for arm in arms]
  options = kinds.Field(
    x="norm.name", metrics=("loss",), groups={"one": ("a",), "all": ("a", "b")}
  )
  (panel,) = panels(options, found, arms=arms)
  assert panel.x.names == ["x", "y"]
  assert [mark.name for mark in panel.marks] == ["one", "all"]


def test_over_a_number_what_is_published_is_a_diamond():
  options = kinds.Field(x="batch_size", metrics=("test_accuracy",))
  number = PublishedNumber(mean=0.7, std=0.05, seeds=3, **NUMBER)
  figure = make(run(published=[number]), options)
  (diamond,) = figure.marks(Points)
  assert (diamond.symbol, diamond.filled) == ("D", False)
  assert (diamond.x.tolist(), diamond.y.tolist()) == ([64], [0.7])
  assert "diamond: published" in figure.caption


# At one step


def test_final_values_with_intervals_and_the_published_ones():
  options = kinds.Final(metrics=("test_accuracy", "loss"))
  number = PublishedNumber(mean=0.7, std=0.05, seeds=3, **NUMBER)
  accuracy, loss = panels(options, published=[number])
  dots = [m for m in of(accuracy, Points) if m.filled]
  np.testing.assert_allclose([m.x[0] for m in dots], [0.65, 0.55])
  (diamond,) = [m for m in of(accuracy, Points) if m.symbol == "D"]
  assert (diamond.x, diamond.error, diamond.along) == (0.7, 0.05, "x")
  # t(1) = 12.706, s / sqrt(2) = .05: cut at 0 and 1.
  first, _ = of(accuracy, Interval)
  assert (first.low, first.high) == (pytest.approx(0.0147, abs=1e-4), 1.0)
  assert accuracy.y.names == list(ARMS)
  assert accuracy.y.colors == [BLUE, RED]
  assert (accuracy.x.low, accuracy.x.high) == (-0.02, 1.02)
  assert loss.x.label == "loss (nats)"
  assert make(run(), kinds.Final(metrics=("nothing",))) is None


def test_bars_are_mean_steps_and_say_never():
  options = kinds.StepsTo(metric="test_accuracy", thresholds=(0.5, 0.65))
  low, high = panels(options)
  # batch_norm reaches .5 at steps 10 and 0; no_batch_norm at 20 and 10; .65
  # is reached by seed 1 of batch_norm alone, at step 20.
  assert [bar.length for bar in of(low, Bar)] == [5, 15]
  texts = [bar.text for bar in of(high, Bar)]
  assert texts == ["≥ 20: never for 1 of 2", "never in 20"]
  assert [bar.bound for bar in of(high, Bar)] == [True, True]
  none = kinds.StepsTo(metric="nothing", thresholds=(1.0,))
  assert make(run(), none) is None


# Probes


def probe(arm, layer, values, seed=0, step=0, name="v", **more):
  return {"arm": arm, "seed": seed, "step": step, "probe": name, "layer": layer,
          "values": values, **more}  # fmt: skip


def test_layers_are_geometric_means_over_their_numbers():
  seen = [probe("batch_norm", f"h_{i}", 2.0 ** (10 - i) * (1 + 3 * seed), seed)
          for i in range(1, 11) for seed in (0, 1)]  # fmt: skip
  (panel,) = panels(kinds.Layers(probe="v", reference=2.0), seen=seen)
  shown, reference = panel.marks
  assert shown.x.tolist() == list(range(1, 11))
  np.testing.assert_allclose(shown.y[[0, 9]], [2 * 2.0**9, 2.0])
  np.testing.assert_allclose(reference.y, shown.y)
  assert reference.dashed
  assert (panel.y.log, panel.x.label) == (True, "layer (h)")
  assert make(run(), kinds.Layers(probe="v")) is None


def test_layers_are_named_and_zeros_left_out():
  seen = [probe("batch_norm", name, 1.0) for name in ("conv_0", "dense_0")]
  (panel,) = panels(kinds.Layers(probe="v"), seen=seen)
  assert panel.x.names == ["conv_0", "dense_0"]
  seen = [probe("batch_norm", f"h_{i}", float(i > 1)) for i in (1, 2, 3)]
  figure = make(run(seen=seen), kinds.Layers(probe="v"))
  np.testing.assert_array_equal(figure.marks(Line)[0].y, [np.nan, 1, 1])
  assert "a line ends where a value is 0" in figure.caption


def test_percentiles_are_of_one_network_on_one_axis():
  seen = [
    probe(arm, "h_2", [v + step + 100 * seed for v in (-1.0, 0.0, 1.0)], seed,
          step)
    for arm, step, seed in itertools.product(ARMS, (0, 10, 20), (0, 1))
  ]  # fmt: skip
  settings = {"v": {"measure": "percentiles", "q": [15, 50, 85]}}
  options = kinds.Percentiles(probe="v", layer="h_2")
  figure = make(run(seen=seen, probes=settings), options)
  lines = figure.panels[0].marks
  assert [m.y.tolist() for m in lines] == [
    [-1, 9, 19], [0, 10, 20], [1, 11, 21],
  ]  # fmt: skip
  assert lines[0].high.tolist() == [1, 11, 21]
  assert [m.label for m in lines] == ["15%", "50%", "85%"]
  assert figure.share == "xy"
  assert "lines: {15, 50, 85}th percentiles over examples" in figure.caption
  for seed, trained in ((None, 0), (1, 1), (7, 0)):
    other = dataclasses.replace(options, seed=seed)
    figure = make(run(seen=seen, probes=settings), other)
    assert figure.panels[0].marks[1].y[0] == 100 * trained
    assert f"one unit of one network (seed {trained})" in figure.caption


def test_percentiles_of_one_unit_and_at_a_point_of_a_grid():
  seen = [probe("batch_norm", "h_2", [[1.0, 2.0], [3.0, 4.0]], step=step)
          for step in (0, 1)]  # fmt: skip
  unit_of = lambda i: kinds.Percentiles(probe="v", layer="h_2", unit=i)
  (panel,) = panels(unit_of(1), seen=seen)
  assert [m.y.tolist() for m in panel.marks] == [[2, 2], [4, 4]]
  with pytest.raises(ValueError, match=r"unit 2 are not in values of \[2, 2\]"):
    make(run(seen=seen), unit_of(2))
  seen = [probe("batch_norm", "h_2", [1.0 + l2], step=step, point={"l2": l2})
          for step in (0, 1) for l2 in (0.0, 10.0)]  # fmt: skip
  (panel,) = panels(kinds.Percentiles(probe="v", layer="h_2@l2=10"), seen=seen)
  assert panel.marks[0].y.tolist() == [11, 11]


def test_histograms_are_densities_of_all_seeds_in_rows():
  seen = [probe("batch_norm", f"h_{layer}", [1, 3], seed, edges=[0.0, 1.0, 3.0])
          for layer in (1, 10, 9) for seed in (0, 1)]  # fmt: skip
  figure = make(run(seen=seen), kinds.Histograms(probe="v"))
  assert [panel.title for panel in figure.panels] == ["h 1", "h 9", "h 10"]
  ridge = figure.marks(Ridge)[0]
  np.testing.assert_allclose(ridge.density, [0.25, 0.375])
  x, y = ridge.outline()
  assert x.tolist() == [0, 0, 1, 1, 3, 3]
  base, high = y[0], y[0] - 0.86
  np.testing.assert_allclose(y[1:5], [base - 0.86 * 2 / 3] * 2 + [high] * 2)
  assert "density of 2 seeds together" in figure.caption
  seen[0] = probe("batch_norm", "h_1", [3, 0], 0, edges=[0.0, 1.0, 3.0])
  figure = make(run(seen=seen), kinds.Histograms(probe="v", seed=0))
  np.testing.assert_allclose(figure.marks(Ridge)[0].density, [1, 0])
  assert "density of seed 0" in figure.caption
  # Of a run with fewer seeds, the first one is shown, and is named.
  figure = make(run(seen=seen), kinds.Histograms(probe="v", seed=7))
  np.testing.assert_allclose(figure.marks(Ridge)[0].density, [1, 0])
  assert "density of seed 0" in figure.caption


def test_histograms_of_one_layer_are_rows_by_steps():
  seen = [
    probe(arm, layer, [1, 3 + step], step=step, edges=[0.0, 1.0, 3.0])
    for arm in ARMS for layer in ("h_1", "h_2") for step in (0, 5, 20)
  ]  # fmt: skip
  options = kinds.Histograms(probe="v", layers=("h_2",), steps=(20, 0))
  first, second = panels(options, seen=seen)
  assert first.y.names == ["20", "0"]
  assert (first.title, second.title) == ("batch norm", "no batch norm")
  ridges = of(second, Ridge)
  assert [(r.place, r.color) for r in ridges] == [(0, RED), (1, RED)]
  np.testing.assert_allclose(ridges[0].density, [1 / 24, 23 / 48])


def test_a_fan_is_a_line_a_step_over_given_numbers():
  seen = [
    probe(arm, "h", [[1.0, 10.0**seed * (step + 1)], [1.0, 4.0]], seed, step)
    for arm in ARMS for seed in (0, 2) for step in (0, 4, 9)
  ]  # fmt: skip
  own = {"probe": "v", "x": (0.1, 1.0), "column": 1}
  first, _ = panels(kinds.Fan(**own, steps=(0, 9)), seen=seen)
  lines = of(first, Line)
  assert [line.name for line in lines] == ["step 0", "step 9"]
  np.testing.assert_allclose(lines[1].y, [100, 4])  # √(10 · 1000)
  assert lines[0].x.tolist() == [0.1, 1.0]
  assert lines[1].color == BLUE != lines[0].color
  (_, _, line), _ = (
    p.marks for p in panels(kinds.Fan(**own, log_y=False), seen=seen)
  )
  np.testing.assert_allclose(line.y, [505, 4])
  with pytest.raises(
    ValueError, match=r"values of \[2, 2\], and a fan of 3 num"
  ):
    panels(kinds.Fan(probe="v", x=(1, 2, 3), column=1), seen=seen)
  assert make(run(), kinds.Fan(probe="v", x=(1.0,))) is None


def test_a_fan_of_layers_is_a_line_a_layer_at_one_step():
  seen = [
    probe(arm, f"h_{layer}", [1.0, 10.0 ** (seed * layer + step)], seed, step)
    for arm in ARMS for layer in (1, 9, 10) for seed in (0, 2)
    for step in (0, 4)
  ]  # fmt: skip
  own = {"probe": "v", "x": (0.0, 1.0), "by_layer": True, "log_x": False}
  first, second = panels(kinds.Fan(**own, step=0), seen=seen)
  assert (first.title, second.title) == ("batch norm", "no batch norm")
  lines = of(first, Line)
  assert [line.name for line in lines] == ["h_1", "h_9", "h_10"]
  assert [line.label for line in lines] == ["h 1", "", "h 10"]
  np.testing.assert_allclose([line.y[1] for line in lines], [10, 1e9, 1e10])
  assert lines[2].color == BLUE != lines[1].color != lines[0].color
  last, _ = panels(kinds.Fan(**own, layers=("h_9",)), seen=seen)
  (line,) = of(last, Line)
  np.testing.assert_allclose(line.y, [1, 1e13])
  figure = make(run(seen=seen), kinds.Fan(**own))
  assert "the deeper the layer" in figure.caption[1]


def test_strips_are_a_row_a_network_over_its_greatest_magnitude():
  seen = [
    probe(arm, "h", [[1.0, -2.0], [3.0, 10.0**seed]], seed)
    for arm in ARMS for seed in (0, 1, 2)
  ]  # fmt: skip
  own = {"probe": "v", "x": (-2.0, 2.0), "networks": 2, "x_label": "input"}
  figure = make(run(seen=seen), kinds.Strips(**own, column=1))
  first, second = figure.panels
  assert (first.title, second.title) == ("batch norm", "no batch norm")
  assert (first.x.names, first.y.names) == (["-2", "2"], ["0", "1"])
  (cells,) = of(first, Cells)
  np.testing.assert_allclose(cells.values, [[-1, 0.5], [-0.2, 1]])
  assert (cells.low, cells.high) == (-1, 1)
  assert cells.says[1] == ["seed 1 at -2: -2", "seed 1 at 2: 10"]
  (plain,) = of(panels(kinds.Strips(**own), seen=seen)[1], Cells)
  np.testing.assert_allclose(plain.values, [[1 / 3, 1]] * 2)
  with pytest.raises(
    ValueError, match=r"of \[2, 1, 1\], and a strip is of a l"
  ):
    panels(kinds.Strips(**own), seen=[probe("batch_norm", "h", [[[1.0]]] * 2)])
  assert make(run(), kinds.Strips(**own)) is None


def test_layers_over_logarithmic_numbers():
  seen = [probe("batch_norm", f"h_{i}", 1.0 / i) for i in (1, 2, 4)]
  for log in (True, False):
    (panel,) = panels(kinds.Layers(probe="v", log_x=log), seen=seen)
    assert panel.x.log == log


def test_seeds_with_their_own_bins_are_spread_over_common_ones():
  bins = ([2.0, 2.0], [0.0, 1.0, 2.0]), ([4.0, 0.0], [2.0, 3.0, 4.0])
  seen = [probe("batch_norm", "h_1", counts, seed, edges=edges)
          for seed, (counts, edges) in enumerate(bins)]  # fmt: skip
  (ridge,) = make(run(seen=seen), kinds.Histograms(probe="v")).marks()
  assert ridge.edges.tolist() == [0, 2, 4]
  assert ridge.density.tolist() == [0.25, 0.25]
  wrong = [probe("batch_norm", "h_1", [2.0, 1.0], edges=[0.0, 1.0])]
  with pytest.raises(ValueError, match="no edge more than counts"):
    make(run(seen=wrong), kinds.Histograms(probe="v"))
  assert make(run(), kinds.Histograms(probe="v")) is None


def test_histograms_of_magnitudes_have_powers_of_ten_and_their_zeros():
  seen = [probe("batch_norm", "h_1", [1, 3], edges=[-4.0, -2.0, 0.0],
                zero_fraction=0.25)]  # fmt: skip
  config = {"probes": {"v": {"measure": "log10_histogram"}}}
  (panel,) = panels(kinds.Histograms(probe="v"), seen=seen, **config)
  assert panel.x.powers
  assert panel.marks[0].note == "25% zero"


def test_a_histogram_whose_numbers_are_in_no_bin_says_so():
  edges = {"edges": [-4.0, -2.0, 0.0]}
  seen = [probe("batch_norm", "h_1", [1, 3], **edges),
          probe("no_batch_norm", "h_1", [0, 0], zero_fraction=0.5, **edges),
          probe("batch_norm", "h_2", [0, 0], zero_fraction=1.0, **edges),
          probe("no_batch_norm", "h_2", [0, 0], **edges)]  # fmt: skip
  figure = make(run(seen=seen), kinds.Histograms(probe="v"))
  assert [mark.note for mark in figure.marks(Ridge)] == [
    "", "50% zero, the rest off this axis", "100% zero", "all off this axis",
  ]  # fmt: skip
  assert figure.marks(Ridge)[1].density.tolist() == [0, 0]


# Style and words


def test_every_arm_has_a_colour_of_its_own():
  found = looks(["batch_norm", *(f"arm_{i}" for i in range(99))])
  shown = [look.color for look in found.values()]
  assert len(set(shown)) == 100
  dark = night_colors(shown).values()
  assert len(set(dark)) == 100
  assert all(contrast(color) >= 4 for color in dark)
  assert found["batch_norm"].color == KNOWN["batch_norm"]
  assert looks(["x", "y"])["x"] == looks(["x"])["x"]


def test_colours_differ_in_lightness_or_hue_for_everyone():
  """No two are close, in the colours that a deuteranope sees either."""
  # Viénot, Brettel and Mollon 1999, in linear light.
  matrix = np.array([
    [0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]
  ])  # fmt: skip
  seen = {}
  for color in (*PALETTE, *MORE):
    rgb = np.array(colors.to_rgb(color)) ** 2.2
    seen[color] = np.clip(matrix @ rgb, 0, 1) ** (1 / 2.2)
  for one, other in itertools.combinations(PALETTE, 2):
    assert np.abs(seen[one] - seen[other]).max() > 0.1, (one, other)


@pytest.mark.parametrize(
  ("name", "text"),
  [
    ("best_test_accuracy", "fraction correct"),
    ("trained_fraction", "fraction"),
    ("train_seconds", "seconds"),
    ("v/h_1", ""),
  ],
)
def test_units(name, text):
  assert unit(name) == text
  assert [number_text(v, 2) for v in (0.00257, 12.3, 128)] == [
    "0.0026", "12", "128",
  ]  # fmt: skip


# From outside


def steps_and_values(measured, arms=(), *, metric: str, times: float = 1.0):
  curve = measured.curve(arms[0], metric)
  line = Line(arms[0], BLUE, curve.steps, times * curve.values[0])
  return Figure([Panel([line], Axis(), Axis(label=metric))], title="a")


FAULTS = {
  "fails": lambda measured: 1 / 0,
  "number": lambda measured: 3,
  "markless": lambda measured: Figure([Panel([3], Axis(), Axis())]),
  "empty": lambda measured: Figure([]),
  "ragged": lambda measured: Line("a", BLUE, [1, 2], [1]),
  "nothing": lambda measured: None,
}


@pytest.fixture
def outside(monkeypatch):
  module = types.ModuleType("mylab_of_a_test")
  vars(module).update(FAULTS, steps_and_values=steps_and_values)
  monkeypatch.setitem(sys.modules, module.__name__, module)
  return lambda name, **own: kinds.Custom(
    function=f"mylab_of_a_test:{name}", **own
  )


def test_a_function_from_outside_makes_a_figure(outside):
  options = {"metric": "test_accuracy", "times": 2}
  own = outside(
    "steps_and_values", options=options, arms=["no_batch_norm"], title="b"
  )
  again = Rules.from_json(
    json.loads(json.dumps(Rules(figures={"x": own}).to_json()))
  )
  figure = make(run(), again.figures["x"])
  assert figure.title == "b"
  (line,) = figure.marks(Line)
  assert line.x.tolist() == [0, 10, 20]
  np.testing.assert_allclose(line.y, [0.6, 0.8, 1.0])
  assert make(run(), outside("nothing")) is None


@pytest.mark.parametrize(
  ("name", "options", "message"),
  [
    ("fails", {}, r"figures\.x: '.*:fails' fails: ZeroDivisionError: .*line"),
    ("number", {}, "returns a int, and is to return a bnjax.lab.report.marks"),
    ("markless", {}, "returns a panel with a mark of type int"),
    ("empty", {}, "returns a figure without panels"),
    ("ragged", {}, "fails: ValueError: Line: x and y differ in length"),
    ("fials", {}, "has no 'fials'; did you mean 'fails'"),
    (
      "fails",
      {"bins": 3},
      r"options\.bins: '.*' does not take it; it takes no",
    ),
    ("steps_and_values", {}, r"options\.metric: is not set, and '.*' has no"),
    ("steps_and_values", {"metric": 3}, r"options\.metric"),
  ],
)
def test_what_is_wrong_outside_is_one_line(outside, name, options, message):
  with pytest.raises(ValueError, match=message) as caught:
    make_figures(run(), {"x": outside(name, options=options)})
  assert str(caught.value).startswith("figures.x: ")
  assert "\n" not in str(caught.value)


def test_a_module_that_is_not_there_is_one_line():
  missing = kinds.Custom(function="nowhere_at_all:figure")
  with pytest.raises(ValueError, match=r"figures\.x: .*No module named"):
    make_figures(run(), {"x": missing})
  with pytest.raises(ValueError, match="function is 'spectrum', but should"):
    kinds.Custom(function="spectrum")
  with pytest.raises(ValueError, match="options are not as JSON has them"):
    kinds.Custom(function="a:b", options={"x": len})
