"""What each kind of figure draws, on its axes."""

import itertools
import math

import matplotlib
import numpy as np
import pytest
from matplotlib import colors
from matplotlib.collections import LineCollection, QuadMesh

from bnjax.lab.report.drawing import log_ticks, number_text, read_run, unit
from bnjax.lab.report.figures import draw_figures, usual
from bnjax.lab.report.kinds import (
  curves,
  field,
  final,
  heat_map,
  histograms,
  layers,
  percentiles,
  steps_to,
)
from bnjax.lab.report.style import MORE, PALETTE, RC, looks
from bnjax.lab.results import PublishedNumber, Rules, figure_kinds as kinds

LR, SCALE = "optimizer.learning_rate", "model.init_scale"
ENVIRONMENT = {"datasets": [{"name": "mnist", "train": 640}]}
ARMS = {"batch_norm": {}, "no_batch_norm": {"batch_size": 32}}
CONFIG = {
  "arms": ARMS, "steps": 20, "batch_size": 64, "dataset": {"name": "mnist"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _style():
  with matplotlib.rc_context(RC):
    yield


def row(arm, seed, step, **metrics):
  return {"arm": arm, "seed": seed, "step": step, **metrics}


def rows():
  for arm, seed, step in itertools.product(ARMS, (0, 1), (0, 10, 20)):
    accuracy = (0.4 if arm == "batch_norm" else 0.3) + step / 100 + seed / 10
    loss = {"loss": 2.0 - step / 20} if step else {}
    yield row(arm, seed, step, test_accuracy=accuracy, **loss)


def run(found=None, seen=(), published=(), **config):
  found = rows() if found is None else found
  rules = Rules(published=published)
  return read_run(CONFIG | config, ENVIRONMENT, list(found), list(seen), rules)


def line(axes, color):
  """The widest line of a colour: not a leader of a label."""
  found = [x for x in axes.lines if x.get_color() == color]
  return max(found, key=lambda x: len(x.get_xdata()))


BLUE = looks(["batch_norm"])["batch_norm"].color
RED = looks(["no_batch_norm"])["no_batch_norm"].color


# Curves


def test_curves_have_a_panel_a_metric_and_start_at_step_0():
  options = kinds.Curves(metrics=("test_accuracy", "loss", "nothing"))
  accuracy, loss = curves.draw(run(), options).axes
  assert line(accuracy, BLUE).get_xdata().tolist() == [0, 10, 20]
  np.testing.assert_allclose(
    line(accuracy, BLUE).get_ydata(), [0.45, 0.55, 0.65]
  )
  assert line(loss, RED).get_xdata().tolist() == [10, 20]
  assert loss.get_yscale() == "log"
  assert curves.draw(run(), kinds.Curves(metrics=("nothing",))) is None


def test_curves_of_chosen_arms_on_chosen_axes():
  options = kinds.Curves(
    metrics=("test_accuracy",), arms=("no_batch_norm",), log_x=True, low=0.2,
    high=0.8, title="A title", label="share",
  )  # fmt: skip
  (axes,) = curves.draw(run(), options).axes
  assert axes.get_xscale() == "symlog"
  assert axes.get_xticks().tolist() == [0, 10, 20]
  assert axes.get_ylim() == (0.2, 0.8)
  assert axes.get_ylabel() == "share"
  assert axes.get_title(loc="left") == "A title"
  assert BLUE not in [x.get_color() for x in axes.lines]


def test_accuracies_that_are_all_high_are_looked_at_closely():
  found = [row("a", 0, step, test_accuracy=value)
           for step, value in ((0, 0.1), (10, 0.93), (20, 0.95))]  # fmt: skip
  options = kinds.Curves(metrics=("test_accuracy",))
  (axes,) = curves.draw(run(found, arms={"a": {}}), options).axes
  assert axes.get_ylim() == (0.9, pytest.approx(1.002))
  (axes,) = curves.draw(run(), options).axes
  assert axes.get_ylim() == (0, 1.02)


def test_limits_that_all_values_are_beyond_are_passed_over():
  at = lambda low: kinds.Curves(metrics=("test_accuracy",), low=low)
  (axes,) = curves.draw(run(), at(0.5)).axes
  assert axes.get_ylim() == (0.5, 1.0)
  (axes,) = curves.draw(run(), at(0.9)).axes
  assert axes.get_ylim()[0] < 0.3
  assert axes.get_ylim()[1] == 1.0


def test_curves_over_epochs_count_each_arms_own_minibatches():
  options = kinds.Curves(metrics=("test_accuracy",), epochs=True)
  (axes,) = curves.draw(run(), options).axes
  # 640 examples: 20 steps of 64 are 2 epochs, of 32 one.
  np.testing.assert_allclose(line(axes, BLUE).get_xdata(), [0, 1, 2])
  np.testing.assert_allclose(line(axes, RED).get_xdata(), [0, 0.5, 1])
  bare = read_run(CONFIG, {}, list(rows()), [], Rules())
  with pytest.raises(ValueError, match="needs batch_norm's batch_size and"):
    curves.draw(bare, options)


def test_a_run_of_no_steps_is_a_dot():
  found = [row(arm, 0, 0, test_accuracy=0.1) for arm in ARMS]
  (axes,) = curves.draw(
    run(found, steps=0), kinds.Curves(metrics=("test_accuracy",), log_x=True)
  ).axes
  (dot,) = [x for x in axes.lines if x.get_marker() == "o" and
            x.get_color() == BLUE]  # fmt: skip
  assert dot.get_xydata().tolist() == [[0, 0.1]]


def test_a_published_range_is_a_band():
  rule = PublishedNumber.of_range(
    0.5, 0.6, arm="batch_norm", metric="test_accuracy", step=20,
    dataset="mnist", source="x",
  )  # fmt: skip
  (axes,) = curves.draw(
    run(published=[rule]), kinds.Curves(metrics=("test_accuracy",))
  ).axes
  levels = [x.get_ydata()[0] for x in axes.lines if x.get_linestyle() == "--"]
  assert levels == [0.5, 0.6]


@pytest.mark.parametrize(
  ("first", "last", "ticks"),
  [
    (10, 20, [0, 10, 20]),
    (100, 1000, [0, 100, 200, 500, 1000]),
    (1, 50000, [0, 1, 10, 100, 1000, 10000]),
    (1000, 50000, [0, 1000, 2000, 5000, 10000, 20000, 50000]),
  ],
)
def test_logarithmic_steps_have_round_ticks(first, last, ticks):
  assert log_ticks(first, last) == ticks


# Style


def test_every_arm_has_a_colour_of_its_own_up_to_ten():
  found = looks(
    ["batch_norm", "no_batch_norm", *(f"arm_{i}" for i in range(8))]
  )
  assert len({look.color for look in found.values()}) == 10
  marked = [look for look in found.values() if look.mark]
  assert [look.color for look in marked] == list(MORE)


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


def test_a_heat_map_shows_the_mean_of_every_cell():
  options = kinds.HeatMap(x=LR, y=SCALE, title="Where it trains")
  figure = heat_map.draw(grid_run(), options)
  first, second = figure.axes
  (bar,) = second.child_axes
  (mesh,) = [c for c in first.collections if isinstance(c, QuadMesh)]
  expected = [[0.96, 0.93, np.nan], [0.4, 0.2, 0.1]]
  np.testing.assert_allclose(
    np.ma.filled(mesh.get_array(), np.nan).reshape(2, 3), expected
  )
  assert mesh.get_clim() == (0, 1)
  assert [t.get_text() for t in first.get_xticklabels()] == ["0.1", "1", "10"]
  assert [t.get_text() for t in first.get_yticklabels()] == ["1", "5"]
  assert first.get_xlabel() == "learning rate (logarithmic)"
  assert second.get_title(loc="left") == "no_batch_norm"
  # 4 of 12 runs reach 0.9.
  assert first.get_title(loc="right") == "33% train"
  assert bar.get_ylabel() == "validation accuracy (fraction correct)"


def test_the_line_of_a_heat_map_runs_between_trained_cells_and_others():
  (axes, *_) = heat_map.draw(grid_run(), kinds.HeatMap(x=LR, y=SCALE)).axes
  lines = [c for c in axes.collections if isinstance(c, LineCollection)]
  found = {tuple(map(tuple, s.tolist())) for s in lines[0].get_segments()}
  # Trained: the first two of the lower row; blank is not trained.
  assert found == {
    ((1.5, -0.5), (1.5, 0.5)), ((-0.5, 0.5), (0.5, 0.5)),
    ((0.5, 0.5), (1.5, 0.5)),
  }  # fmt: skip
  (other, *_) = heat_map.draw(
    grid_run(), kinds.HeatMap(x=LR, y=SCALE, threshold=0.95)
  ).axes
  lines = [c for c in other.collections if isinstance(c, LineCollection)]
  assert len(lines[0].get_segments()) == 2


def test_diverged_cells_of_a_heat_map_are_crossed_the_larger_the_more():
  (axes, *_) = heat_map.draw(grid_run(), kinds.HeatMap(x=LR, y=SCALE)).axes
  marks = [x for x in axes.lines if x.get_marker() == "x"]
  places = {
    (x.get_xdata()[0], x.get_ydata()[0]): x.get_markersize() for x in marks
  }
  assert set(places) == {(1, 1), (2, 0)}
  assert places[2, 0] > places[1, 1]


def test_a_heat_map_takes_the_best_of_further_fields():
  found = [*grid_rows([("l2", 0)])]
  worse = [r | {"point": r["point"] | {"l2": 1}, "validation_accuracy": 0.0}
           for r in found]  # fmt: skip
  (axes, *_) = heat_map.draw(
    grid_run([*found, *worse]), kinds.HeatMap(x=LR, y=SCALE)
  ).axes
  (mesh,) = [c for c in axes.collections if isinstance(c, QuadMesh)]
  np.testing.assert_allclose(mesh.get_array().ravel()[:2], [0.96, 0.93])


def test_without_a_grid_there_is_no_heat_map():
  assert heat_map.draw(run(), kinds.HeatMap(x=LR, y=SCALE)) is None
  step = kinds.HeatMap(x=LR, y=SCALE, step=7)
  assert heat_map.draw(grid_run(), step) is None


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
  (axes,) = field.draw(grid_run(), options).axes
  shown = line(axes, BLUE)
  assert shown.get_xdata().tolist() == [0.1, 1.0, 10.0]
  np.testing.assert_allclose(shown.get_ydata(), [0.96, 0.93, 0.1])
  assert axes.get_xscale() == "log"
  assert field.draw(grid_run(), kinds.Field(x="l2", metrics=("loss",))) is None


def test_over_the_arms_own_values_a_line_a_metric():
  options = kinds.Field(
    x="batch_size", metrics=("test_accuracy", "loss"), steps=(10, 20)
  )
  early, late = field.draw(run(), options).axes
  shown = [
    x for x in late.lines if len(x.get_xdata()) == 2 and x.get_marker() == "o"
  ]
  assert [x.get_xdata().tolist() for x in shown] == [[32, 64]] * 2
  np.testing.assert_allclose(shown[0].get_ydata(), [0.55, 0.65])
  np.testing.assert_allclose(shown[1].get_ydata(), [1.0, 1.0])
  assert early.get_title(loc="left") == "After 10 steps"


def test_over_names_and_in_groups():
  arms = {"a": {"norm": {"name": "x"}}, "b": {"norm": {"name": "y"}}}
  found = [row(arm, 0, 20, loss=1.0) for arm in arms]
  options = kinds.Field(
    x="norm.name", metrics=("loss",), groups={"one": ("a",), "all": ("a", "b")}
  )
  (axes,) = field.draw(run(found, arms=arms), options).axes
  assert [t.get_text() for t in axes.get_xticklabels()] == ["x", "y"]
  assert {"one", "all"} <= {t.get_text() for t in axes.texts}


# At one step


def test_final_values_are_dots_with_the_published_ones():
  rule = PublishedNumber(
    arm="batch_norm", metric="test_accuracy", mean=0.7, std=0.05, seeds=3,
    step=20, source="x", dataset="mnist",
  )  # fmt: skip
  options = kinds.Final(metrics=("test_accuracy", "loss"))
  accuracy, loss = final.draw(run(published=[rule]), options).axes
  means = [x.get_xdata()[0] for x in accuracy.lines
           if x.get_marker() == "o"]  # fmt: skip
  np.testing.assert_allclose(means, [0.65, 0.55])
  (diamond,) = [x for x in accuracy.lines if x.get_marker() == "D"]
  assert diamond.get_xdata().tolist() == [0.7]
  assert [t.get_text() for t in accuracy.get_yticklabels()] == list(ARMS)
  assert loss.get_xlabel() == "loss (nats)"
  assert final.draw(run(), kinds.Final(metrics=("nothing",))) is None


def test_bars_are_mean_steps_and_say_never():
  options = kinds.StepsTo(metric="test_accuracy", thresholds=(0.5, 0.65))
  low, high = steps_to.draw(run(), options).axes
  # batch_norm reaches .5 at steps 10 and 0; no_batch_norm at 20 and 10; .65
  # is reached by seed 1 of batch_norm alone, at step 20.
  assert [bar.get_width() for bar in low.patches] == [5, 15]
  texts = [t.get_text() for t in high.texts]
  assert texts == ["≥ 20: never for 1 of 2", "never in 20"]
  assert [bool(bar.get_hatch()) for bar in high.patches] == [True, True]
  none = kinds.StepsTo(metric="nothing", thresholds=(1.0,))
  assert steps_to.draw(run(), none) is None


# Probes


def probe(arm, layer, values, seed=0, step=0, name="v", **more):
  return {"arm": arm, "seed": seed, "step": step, "probe": name, "layer": layer,
          "values": values, **more}  # fmt: skip


def profile_rows():
  for arm, factor in (("batch_norm", 2.0), ("no_batch_norm", 0.5)):
    for layer in range(1, 11):
      for seed in (0, 1):
        value = factor ** (10 - layer) * (1 + 3 * seed)
        yield probe(arm, f"h_{layer}", value, seed)


def test_layers_are_geometric_means_over_their_numbers():
  options = kinds.Layers(probe="v", reference=2.0)
  (axes,) = layers.draw(run(seen=profile_rows()), options).axes
  shown = line(axes, BLUE)
  assert shown.get_xdata().tolist() == list(range(1, 11))
  np.testing.assert_allclose(shown.get_ydata()[[0, 9]], [2 * 2.0**9, 2.0])
  (reference,) = [x for x in axes.lines if x.get_linestyle() == "--"]
  np.testing.assert_allclose(reference.get_ydata(), shown.get_ydata())
  assert axes.get_yscale() == "log"
  assert axes.get_xlabel() == "layer (h)"
  assert layers.draw(run(), options) is None


def test_layers_with_other_names_are_named():
  probes = [probe("batch_norm", name, 1.0) for name in ("conv_0", "dense_0")]
  (axes,) = layers.draw(run(seen=probes), kinds.Layers(probe="v")).axes
  assert [t.get_text() for t in axes.get_xticklabels()] == ["conv_0", "dense_0"]


def test_a_value_of_zero_has_no_place_on_a_logarithmic_axis():
  probes = [probe("batch_norm", f"h_{i}", float(i > 1)) for i in (1, 2, 3)]
  figure = layers.draw(run(seen=probes), kinds.Layers(probe="v"))
  shown = line(figure.axes[0], BLUE).get_ydata()
  assert np.isnan(shown[0])
  np.testing.assert_allclose(shown[1:], 1.0)
  assert "a line ends where a value is 0" in figure.get_supxlabel()


def percentile_rows(values=(-1.0, 0.0, 1.0)):
  for arm, step, seed in itertools.product(ARMS, (0, 10, 20), (0, 1)):
    shifted = [value + step + 100 * seed for value in values]
    yield probe(arm, "h_2", shifted, seed, step)


Q = {"probes": {"v": {"measure": "percentiles", "q": [15, 50, 85]}}}


def test_percentiles_are_of_one_network_on_one_axis():
  figure = percentiles.draw(
    run(seen=percentile_rows(), **Q),
    kinds.Percentiles(probe="v", layer="h_2"),
  )
  first, second = figure.axes
  assert first.get_ylim() == second.get_ylim()
  shown = [x for x in first.lines if len(x.get_xdata()) == 3]
  assert [x.get_ydata().tolist() for x in shown] == [
    [-1, 9, 19], [0, 10, 20], [1, 11, 21],
  ]  # fmt: skip
  assert [t.get_text() for t in first.texts] == ["15%", "50%", "85%"]
  assert "{15, 50, 85}th percentiles" in figure.get_supxlabel()


def test_percentiles_of_one_of_several_units():
  probes = [probe("batch_norm", "h_2", [[1.0, 2.0], [3.0, 4.0]], step=step)
            for step in (0, 1)]  # fmt: skip
  options = kinds.Percentiles(probe="v", layer="h_2", unit=1, low=-1, high=9)
  (axes,) = percentiles.draw(run(seen=probes), options).axes
  shown = [x.get_ydata().tolist() for x in axes.lines if x.get_linewidth() == 1]
  assert shown == [[2.0, 2.0], [4.0, 4.0]]
  assert axes.get_ylim() == (-1, 9)
  beyond = kinds.Percentiles(probe="v", layer="h_2", unit=2)
  with pytest.raises(ValueError, match=r"unit 2 are not in values of \[2, 2\]"):
    percentiles.draw(run(seen=probes), beyond)
  assert percentiles.draw(run(), options) is None


def test_percentiles_at_a_point_of_a_grid():
  probes = [
    probe(
      "batch_norm", "h_2", [1.0 + l2, 2.0 + l2], step=step, point={"l2": l2}
    )
    for step in (0, 1)
    for l2 in (0.0, 10.0)
  ]
  options = kinds.Percentiles(probe="v", layer="h_2@l2=10")
  (axes,) = percentiles.draw(run(seen=probes), options).axes
  shown = [x.get_ydata().tolist() for x in axes.lines if x.get_linewidth() == 1]
  assert shown == [[11.0, 11.0], [12.0, 12.0]]


def test_histograms_are_densities_of_all_seeds():
  probes = [
    probe("batch_norm", f"h_{layer}", [1, 3], seed, edges=[0.0, 1.0, 3.0])
    for layer in (1, 10, 9)
    for seed in (0, 1)
  ]
  figure = histograms.draw(run(seen=probes), kinds.Histograms(probe="v"))
  assert [a.get_title() for a in figure.axes] == ["h 1", "h 9", "h 10"]
  (stairs,) = figure.axes[0].patches
  np.testing.assert_allclose(stairs.get_data().values, [0.25, 0.375])
  assert "2 seeds together" in figure.get_supxlabel()


def test_histograms_of_magnitudes_have_powers_of_ten_and_their_zeros():
  probes = [probe("batch_norm", "h_1", [1, 3], edges=[-4.0, -2.0, 0.0],
                  zero_fraction=0.25)]  # fmt: skip
  config = {"probes": {"v": {"measure": "log10_histogram"}}}
  options = kinds.Histograms(probe="v", log_counts=True)
  (axes,) = histograms.draw(run(seen=probes, **config), options).axes
  assert [t.get_text() for t in axes.texts] == ["25% zero"]
  assert axes.xaxis.get_major_formatter()(-2) == "$10^{-2}$"
  assert axes.get_yscale() == "log"


def test_histograms_with_other_bins_are_not_added_up():
  probes = [probe("batch_norm", "h_1", [2.0], seed, edges=[0.0, 1.0 + seed])
            for seed in (0, 1)]  # fmt: skip
  figure = histograms.draw(run(seen=probes), kinds.Histograms(probe="v"))
  assert "1 of 2 seeds (bins differ)" in figure.get_supxlabel()
  wrong = [probe("batch_norm", "h_1", [2.0, 1.0], edges=[0.0, 1.0])]
  with pytest.raises(ValueError, match="no edge more than counts"):
    histograms.draw(run(seen=wrong), kinds.Histograms(probe="v"))
  assert histograms.draw(run(), kinds.Histograms(probe="v")) is None


# All of them


def test_rules_choose_the_figures(tmp_path):
  chosen = {
    "speed": kinds.StepsTo(metric="loss", thresholds=(1.5,), at_least=False),
    "nothing": kinds.Curves(metrics=("nothing",)),
    "end": kinds.Final(metrics=("test_accuracy",)),
  }
  draw = lambda folder: draw_figures(
    CONFIG, ENVIRONMENT, list(rows()), folder, ["svg"],
    rules=Rules(figures=chosen),
  )  # fmt: skip
  files = draw(tmp_path)
  assert [path.name for path in files] == ["speed.svg", "end.svg"]
  again = draw(tmp_path / "b")
  assert [p.read_bytes() for p in files] == [p.read_bytes() for p in again]


def test_a_figure_that_does_not_fit_the_records_is_named(tmp_path):
  figure = kinds.Curves(metrics=("loss",), epochs=True)
  with pytest.raises(
    ValueError, match=r"figures\.x: an x axis of epochs needs"
  ):
    draw_figures(
      CONFIG, {}, list(rows()), tmp_path, rules=Rules(figures={"x": figure})
    )


@pytest.mark.parametrize(
  ("name", "text"),
  [
    ("test_accuracy", "fraction correct"),
    ("best_test_accuracy", "fraction correct"),
    ("trained_fraction", "fraction"),
    ("train_loss", "loss (nats)"),
    ("train_seconds", "seconds"),
    ("steps_to:loss<=1", "training steps"),
    ("grad_norm", "grad norm"),
    ("v/h_1", ""),
  ],
)
def test_units(name, text):
  assert unit(name) == text


def test_values_on_axes_are_short():
  assert [number_text(v, 2) for v in (1e-5, 0.00257, 12.3, 128, "he")] == [
    "1e-5", "0.0026", "12", "128", "he",
  ]  # fmt: skip
  assert number_text(math.pi) == "3.14"
