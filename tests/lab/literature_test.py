"""Published numbers as rules."""

import pytest

from bnjax.lab import literature


def test_a_row_of_the_papers_figure_3_as_it_is():
  best, steps = literature.inception("bn_x5", metric="steps_to:x>=1", step=7)
  assert (steps.mean, steps.metric) == (2.1e6, "steps_to:x>=1")
  assert (best.mean, best.metric) == (0.730, "max:test_accuracy")
  for rule in (best, steps):
    assert (rule.arm, rule.step, rule.relative_to) == ("bn_x5", 7, None)


def test_a_row_relative_to_another():
  best, steps = literature.inception(
    "bn_baseline", metric="steps_to:x>=1", step=7, versus="inception"
  )
  assert steps.mean == pytest.approx(1 / 2.33, rel=2e-3)
  assert best.mean == pytest.approx(1.0069, abs=1e-4)
  assert {best.relative_to, steps.relative_to} == {"inception"}


def test_what_was_never_reached_has_no_steps():
  (best,) = literature.inception("bn_x5_sigmoid", metric="x", step=7)
  assert best.mean == 0.698
