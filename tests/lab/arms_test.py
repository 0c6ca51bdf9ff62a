"""From a config to complete, checked arms."""

import copy

import pytest

from bnjax.lab.arms import resolve_arms
from bnjax.lab.errors import UserError

CONFIG = {
  "memory_gb": 4.0,
  "dataset": {"name": "digits"},
  "model": {"name": "mlp", "width": 8, "dropout_rate": 0.5},
  "norm": {"name": "batch_norm", "epsilon": 1e-5, "decay": 0.9},
  "optimizer": {"name": "adam", "learning_rate": 0.1, "b1": 0.9, "momentum": 0},
  "schedule": {"name": "constant"},
  "augment": {"name": "none"},
  "loss": {"name": "cross_entropy"},
  "steps": 10,
  "arms": {"with": {}, "without": {"norm": {"name": "none"}}},
}


def test_arms_differ_in_what_they_set_alone():
  arms = resolve_arms(CONFIG)
  assert list(arms) == ["with", "without"]
  assert arms["with"]["norm"] == {
    "name": "batch_norm",
    "epsilon": 1e-5,
    "decay": 0.9,
  }
  assert arms["without"]["norm"] == {"name": "none"}
  without = {k: v for k, v in arms["without"].items() if k != "norm"}
  assert without == {k: v for k, v in arms["with"].items() if k != "norm"}
  assert without["optimizer"] == {
    "name": "adam",
    "learning_rate": 0.1,
    "b1": 0.9,
  }
  assert "arms" not in without
  assert "memory_gb" not in without


def test_the_config_itself_is_left_alone():
  before = copy.deepcopy(CONFIG)
  resolve_arms(CONFIG)
  assert before == CONFIG


@pytest.mark.parametrize(
  ("arms", "message"),
  [
    ({}, "arms: there is none"),
    ({"a": {"norn": {}}}, r"arms\.a\.norn: 'norn' is not known.*'norm'"),
    ({"a": {"norm": {"eps": 1.0}}}, r"arms\.a\.norm\.eps: 'eps' is not known"),
    ({"a": {"norm": {"name": "bach"}}}, r"norm\.name: 'bach' .* batch_norm"),
    ({"a": {"norm": "none"}}, r"arms\.a\.norm: 'none' cannot replace"),
    ({"a": {"steps": {"n": 1}}}, r"arms\.a\.steps: .* cannot replace 10"),
    ({"a": {"steps": 1.5}}, r"arms\.a\.steps: 1\.5 is of type float.* int"),
    ({"a": {"steps": True}}, r"arms\.a\.steps: True is of type bool.* int"),
    (
      {"a": {"norm": {"name": "none", "epsilon": 1.0}}},
      r"norm\.epsilon: norm\.name='none' does not take it",
    ),
  ],
)
def test_what_is_wrong_is_named(arms, message):
  with pytest.raises(UserError, match=message):
    resolve_arms({**CONFIG, "arms": arms})


def test_an_int_is_a_float_where_one_is_meant():
  arms = resolve_arms({**CONFIG, "arms": {"a": {"model": {"dropout_rate": 0}}}})
  assert type(arms["a"]["model"]["dropout_rate"]) is float


def test_what_the_user_set_must_apply_where_the_name_is_the_configs():
  with pytest.raises(UserError, match=r"optimizer\.momentum: .*'adam'"):
    resolve_arms(CONFIG, explicit={"optimizer.momentum"})
  # `without` names another norm, which does not take the user's epsilon.
  arms = resolve_arms(CONFIG, explicit={"norm.epsilon"})
  assert arms["without"]["norm"] == {"name": "none"}


def test_an_argument_that_no_entry_takes_is_a_mistake_in_the_file():
  schedule = {"name": "constant", "decay_rate": 0.5}
  with pytest.raises(UserError, match=r"schedule\.decay_rate: 'decay_rate'"):
    resolve_arms({**CONFIG, "schedule": schedule})
