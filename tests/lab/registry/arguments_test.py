"""The arguments that functions and Flax modules take."""

from typing import Any, Literal

import flax.linen as nn
import optax
import pytest

from bnjax.lab import registry
from bnjax.lab.errors import UserError
from bnjax.lab.registry import Traced, check_value, kind_of


class Net(nn.Module):
  num_classes: int
  width: int = 8
  rate: Traced[float] = 0.5
  factor: "Traced[float] | None" = None
  init: Any = nn.initializers.zeros

  def __call__(self, x):
    return x


def anything(height: float, *, speed=2, **more):
  return height, speed, more


def test_a_modules_arguments_are_its_fields():
  names = ("width", "rate", "factor", "init")
  assert tuple(registry.parameters(Net, ("num_classes",))) == names
  assert registry.traced(Net) == ("rate", "factor")
  assert registry.required(Net) == ("num_classes",)
  filled = registry.filled("model", "Net", Net, {"width": 3}, ("num_classes",))
  assert filled == {"width": 3, "rate": 0.5, "factor": None}  # no function


def test_what_takes_any_argument_takes_it():
  assert registry.checked("move", "m", anything, {"tail": 3}) == {"tail": 3}
  with pytest.raises(UserError, match=r"move\.speed: 'x' .* is to be int"):
    registry.checked("move", "m", anything, {"speed": "x"})


def test_what_has_no_default_must_be_set():
  said = r"move\.height: is not set, and move\.name='m' has no default for it"
  with pytest.raises(UserError, match=said):
    registry.filled("move", "m", anything, {})


def test_defaults_are_optaxs_own():
  own = {"b1": 0.9, "b2": 0.99, "weight_decay": 1e-3, "learning_rate": 0.1}
  found = registry.filled("o", "lion", optax.lion, {"learning_rate": 0.1})
  assert own.items() <= found.items()


@pytest.mark.parametrize(
  ("value", "annotation", "default", "found"),
  [
    (1, float, 0.5, 1.0),
    (1, Traced[float], 0.5, 1.0),
    (1, int | float, 0.5, 1),
    (None, int | None, 16, None),
    (2, float | None, None, 2.0),
    ([1, 2], tuple[int, ...], (), (1, 2)),
    ((1, 0.5), tuple[int, float], (), (1, 0.5)),
    ("same", Literal["same", "valid"], "same", "same"),
    ("f", Any, None, "f"),
    (1, Any, 0.5, 1.0),
    (None, Any, 0.5, None),
    ((1,), tuple, (), (1,)),
  ],
)
def test_values_of_a_type(value, annotation, default, found):
  result = check_value("f", value, annotation, default)
  assert (type(result), result) == (type(found), found)


@pytest.mark.parametrize(
  ("value", "annotation", "default", "said"),
  [
    (True, int, 1, "f: True is of type bool, and is to be int"),
    (1, bool, True, "f: 1 is of type int, and is to be bool"),
    ("x", Traced[float] | None, 0.5, "is to be float or None"),
    ("none", Literal["same", "valid"], "same", "Choices: same, valid"),
    (None, float, 0.5, "f: None is of type NoneType, and is to be float"),
    ("ab", tuple[str, ...], (), "is to be a tuple of str"),
    ((1, 2, 3), tuple[int, int], (), "is to be a tuple of int"),
    ("1", Any, 0.5, "f: '1' is of type str, and is to be float"),
  ],
)
def test_values_of_another_type(value, annotation, default, said):
  with pytest.raises(UserError) as error:
    check_value("f", value, annotation, default)
  assert said in str(error.value)


def test_the_kind_of_a_text():
  assert kind_of(Traced[float], 1.0) == (float, False)
  assert kind_of(int | None) == (int, True)
  assert kind_of(tuple[int, ...], ()) == (tuple, False)
  assert kind_of(Any, True) == (bool, True)
