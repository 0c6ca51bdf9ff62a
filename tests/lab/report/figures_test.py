import copy
import itertools
import math

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from matplotlib import colors
from matplotlib.figure import Figure

from bnjax.lab.report import figures
from bnjax.lab.report.labels import spread
from bnjax.lab.report.panels import draw_panel, draw_published
from bnjax.lab.report.style import looks
from bnjax.lab.results import PublishedCurve, PublishedNumber, Rules
from bnjax.lab.results.aggregate import curves

ARMS = ["batch_norm", "no_batch_norm", "$x^{<script>|"]
CONFIG = {
  "arms": dict.fromkeys(ARMS),
}  # fmt: skip
RULES = Rules(
  published=(
    PublishedNumber(
      arm="batch_norm", metric="test_accuracy", mean=0.75, std=0.01, seeds=5,
      source="a", dataset="mnist", step=20,
    ),
    PublishedCurve(
      arm="batch_norm", metric="loss", steps=(10, 20), values=(4.0, 2.0),
      dataset="mnist",
    ),
  )
)  # fmt: skip
ENVIRONMENT = {"datasets": [{"name": "mnist5k"}]}


def rows(arms=ARMS):
  for index, arm in enumerate(arms):
    for seed in range(3):
      for step in (10, 20):
        bad = (arm, seed, step) == ("no_batch_norm", 1, 20)
        loss = (index + 1) * (seed + 1) / step
        yield {
          "arm": arm, "seed": seed, "step": step, "test_accuracy": 0.5,
          "loss": None if bad else loss + 1, "data_loss": None if bad else loss,
          "diverged_step": 15 if bad else None,
        }  # fmt: skip


def panel(metric="loss"):
  found = curves(rows())
  axes = Figure().subplots()
  own = [found[arm, metric] for arm in ARMS]
  labels = draw_panel(axes, own, looks(ARMS), {"no_batch_norm": {1: 15}})
  return axes, labels


def test_lines_are_the_means_and_bands_the_ranges():
  axes, labels = panel("data_loss")
  line = axes.lines[0]
  np.testing.assert_allclose(line.get_ydata(), [0.2, 0.1])
  band = axes.collections[0].get_paths()[0].vertices
  assert band[:, 1].min() == pytest.approx(0.05)
  assert band[:, 1].max() == pytest.approx(0.3)
  assert [label.text for label in labels] == ARMS
  # The mean of the finite values of seeds 0 and 2 of the second arm.
  assert labels[1].y == pytest.approx(0.2)


def test_a_diverged_run_is_marked_at_its_step_and_last_value():
  axes, _ = panel("data_loss")
  (mark,) = [line for line in axes.lines if line.get_marker() == "X"]
  assert mark.get_xydata().tolist() == [[15.0, pytest.approx(0.4)]]
  assert mark.get_color() == looks(ARMS)["no_batch_norm"].color


def test_the_mark_is_at_the_value_before_the_divergence():
  rows = [
    {"arm": "a", "seed": 0, "step": step, "test_accuracy": value}
    for step, value in ((10, 0.75), (20, 0.125))
  ]
  axes = Figure().subplots()
  own = [curves(rows)["a", "test_accuracy"]]
  draw_panel(axes, own, looks(["a"]), {"a": {0: 15}})
  (mark,) = [line for line in axes.lines if line.get_marker() == "X"]
  assert mark.get_xydata().tolist() == [[15.0, 0.75]]


def test_a_run_that_was_never_finite_is_marked_too():
  row = {"arm": "a", "seed": 0, "step": 10, "loss": None, "diverged_step": 3}
  axes = Figure().subplots()
  labels = draw_panel(
    axes, [curves([row])["a", "loss"]], looks(["a"]), {"a": {0: 3}}
  )
  assert labels == []
  assert [line.get_marker() for line in axes.lines] == ["", "X"]


def test_losses_are_logarithmic_and_accuracies_are_not():
  assert panel("loss")[0].get_yscale() == "log"
  axes, _ = panel("test_accuracy")
  assert axes.get_yscale() == "linear"
  assert axes.get_ylim() == (0, 1.02)


def test_published_values_are_dashed_in_the_color_of_their_arm():
  numbers, lines = RULES.numbers, RULES.curves
  axes, _ = panel("test_accuracy")
  before = len(axes.lines)
  used = draw_published(axes, "test_accuracy", looks(ARMS), numbers, lines)
  assert used == ["mnist"]
  level = axes.lines[before]
  assert list(level.get_ydata()) == [0.75, 0.75]
  assert level.get_linestyle() == "--"
  assert level.get_color() == looks(ARMS)["batch_norm"].color
  axes, _ = panel("loss")
  draw_published(axes, "loss", looks(ARMS), numbers, lines)
  assert list(axes.lines[-1].get_ydata()) == [4.0, 2.0]


def test_files_are_drawn_and_the_same_each_time(tmp_path):
  forms = ("png", "pdf", "svg")
  draw = lambda name: figures.draw_figures(
    CONFIG, ENVIRONMENT, list(rows()), tmp_path / name, forms, rules=RULES
  )
  before = dict(matplotlib.rcParams)
  files = draw("a")
  assert dict(matplotlib.rcParams) == before
  assert [path.name for path in files] == [
    "loss.png", "loss.pdf", "loss.svg",
    "accuracy.png", "accuracy.pdf", "accuracy.svg",
  ]  # fmt: skip
  for one, other in zip(files, draw("b"), strict=True):
    assert one.read_bytes() == other.read_bytes()
  text = files[2].read_text()
  assert "$x^{&lt;script&gt;|" in text
  assert "published on mnist (ours: mnist5k)" in text
  assert "cross: diverged, 1 run" in text


def test_without_accuracies_there_is_no_figure_of_them(tmp_path):
  few = [{"arm": "a", "seed": 0, "step": 1, "loss": 1.0}]
  files = figures.draw_figures({}, {}, few, tmp_path)
  assert [path.name for path in files] == ["loss.png"]


def test_validation_accuracy_stands_in_for_a_missing_test_accuracy(tmp_path):
  few = [{"arm": "a", "seed": 0, "step": 1, "validation_accuracy": 0.5}]
  files = figures.draw_figures({}, {}, few, tmp_path, ["svg"])
  assert [path.name for path in files] == ["accuracy.svg"]
  assert "Validation accuracy" in files[0].read_text()


@pytest.mark.parametrize("loss", [0.0, -1.0, None])
def test_losses_that_no_logarithm_takes_are_drawn(tmp_path, loss):
  few = [{"arm": "a", "seed": 0, "step": s, "loss": loss} for s in (1, 2)]
  assert figures.draw_figures({}, {}, few, tmp_path)


def test_an_arm_keeps_its_color_whatever_else_is_drawn():
  few, many = looks(["batch_norm", "x"]), looks(["x", "y", "z", "batch_norm"])
  assert few["batch_norm"] == many["batch_norm"]
  assert few["x"] == many["x"]


@settings(deadline=None)
@given(st.integers(1, 24))
def test_arms_are_told_apart_up_to_two_dozen(count):
  found = looks(["no_batch_norm", *(f"arm {i}" for i in range(count - 1))])
  assert len({str(look) for look in found.values()}) == count
  assert all(colors.is_color_like(look.color) for look in found.values())


places = st.lists(st.floats(0, 1), max_size=12)


@settings(deadline=None)
@given(places, st.floats(0.01, 0.5))
def test_labels_do_not_overlap_and_stay_inside(wishes, gap):
  got = spread(wishes, gap)
  room = min(gap, 1 / max(len(wishes) - 1, 1))
  sorted_got = sorted(got)
  gaps = [b - a for a, b in itertools.pairwise(sorted_got)]
  assert all(distance >= room - 1e-9 for distance in gaps)
  assert all(-1e-9 <= place <= 1 + 1e-9 for place in got)
  by_wish = sorted(range(len(wishes)), key=lambda i: wishes[i])
  assert [got[i] for i in by_wish] == sorted_got


@settings(deadline=None)
@given(places)
def test_labels_with_room_stay_where_they_are(wishes):
  kept = sorted({round(wish, 1) for wish in wishes})
  assert all(
    math.isclose(a, b, abs_tol=1e-9)
    for a, b in zip(spread(kept, 0.09), kept, strict=True)
  )


def test_drawing_leaves_its_input_alone(tmp_path):
  given_rows = list(rows())
  copies = copy.deepcopy((CONFIG, given_rows))
  figures.draw_figures(CONFIG, ENVIRONMENT, given_rows, tmp_path)
  assert (CONFIG, given_rows) == copies
