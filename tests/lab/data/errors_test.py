"""Errors that a person can put right."""

import pytest

from bnjax.lab import errors


def test_choice_returns_a_known_value():
  assert errors.choice("norm.name", "batch", {"batch": 1, "none": 2}) == "batch"


def test_choice_suggests_and_lists():
  with pytest.raises(errors.UserError) as caught:
    errors.choice("model.init", "heh", ["randn", "he", "xavier"])
  assert str(caught.value) == (
    "model.init: 'heh' is not known; did you mean 'he'?"
    " Choices: he, randn, xavier"
  )


@pytest.mark.parametrize("value", ["zzzz", 3, None])
def test_choice_without_a_near_one(value):
  with pytest.raises(errors.UserError) as caught:
    errors.choice("model.init", value, ["he", "randn"])
  assert str(caught.value) == (
    f"model.init: {value!r} is not known; Choices: he, randn"
  )
