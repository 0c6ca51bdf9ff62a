"""Published numbers as rules of a config."""

import pytest

from bnjax.lab import literature


def test_a_row_of_the_papers_figure_3_as_it_is():
  rules = literature.inception("bn_x5", metric="steps_to:x>=1", step=7)
  assert rules["steps"]["mean"] == 2.1e6
  assert rules["steps"]["metric"] == "steps_to:x>=1"
  assert rules["best"]["mean"] == 0.730
  assert all(rule["step"] == 7 for rule in rules.values())
  assert not any("relative_to" in rule for rule in rules.values())


def test_a_row_relative_to_another():
  versus = {"metric": "steps_to:x>=1", "step": 7, "versus": "inception"}
  rules = literature.inception("bn_baseline", **versus)
  assert rules["steps"]["mean"] == pytest.approx(1 / 2.33, rel=2e-3)
  assert rules["best"]["mean"] == pytest.approx(1.0069, abs=1e-4)
  assert {rule["relative_to"] for rule in rules.values()} == {"inception"}


def test_what_was_never_reached_has_no_steps():
  rules = literature.inception("bn_x5_sigmoid", metric="steps", step=7)
  assert rules.keys() == {"best"}
