"""From a config to complete, checked arms."""

import copy

import pytest
from ml_collections import ConfigDict

from bnjax.lab.config import base, complete, resolve, resolve_arms
from bnjax.lab.errors import UserError


def _config(arms, **chosen):
  config = base(**chosen)
  config.model.width = 8
  config.arms = arms
  return config.to_dict()


def _arm(overrides, **chosen):
  return resolve_arms(_config({"a": overrides}, **chosen))["a"]


def test_arms_differ_in_what_they_set_alone():
  config = _config({"with": {}, "without": {"norm": {"name": "none"}}})
  before = copy.deepcopy(config)
  arms = resolve_arms(config)
  assert config == before
  batch_norm = {"name": "batch_norm", "epsilon": 1e-5, "decay": 0.99}
  assert arms["with"]["norm"] == batch_norm
  assert arms["without"] == arms["with"] | {"norm": {"name": "none"}}
  assert not {"arms", "title", "machine"} & set(arms["with"])


@pytest.mark.parametrize(
  ("chosen", "overrides", "group", "own"),
  [
    ("sgd", {"name": "lion"}, "optimizer", {"b2": 0.99, "weight_decay": 1e-3}),
    ("adam", {"name": "adagrad"}, "optimizer", {"eps": 1e-7}),
    ("sgd", {"name": "adam"}, "optimizer", {"eps": 1e-8, "b2": 0.999}),
    *[
      ("batch_norm", {"name": name}, "norm", {"epsilon": 1e-6})
      for name in (
        "layer_norm",
        "group_norm",
        "instance_norm",
        "rms_norm",
        "filter_response_norm",
      )
    ],
    ("layer_norm", {"name": "batch_norm"}, "norm", {"epsilon": 1e-5}),
    ("batch_norm", {"name": "group_norm"}, "norm", {"groups": None}),
    (
      "mlp",
      {"name": "deep"},
      "model",
      {"depth": 20, "width": 100, "init": "xavier", "placement": "after"},
    ),
    (
      "mlp",
      {"name": "lenet"},
      "model",
      {"init": "torch_default", "placement": "after_pool"},
    ),
  ],
)
def test_what_nobody_set_is_the_entrys_own(chosen, overrides, group, own):
  spec = _arm({group: overrides}, **{group: chosen})
  assert own.items() <= spec[group].items()


def test_who_names_another_entry_starts_from_its_defaults():
  config = _config({"same": {}, "other": {}, "again": {}}, optimizer="adam")
  config["norm"] |= {"epsilon": 0.5, "decay": 0.75}
  config["optimizer"] |= {"b1": 0.5, "learning_rate": 0.25}
  config["arms"]["same"] = {"norm": {"name": "batch_norm"}}
  config["arms"]["other"] = {
    "norm": {"name": "l1_batch_norm", "decay": 0.5},
    "optimizer": {"name": "lion"},
  }
  arms = resolve_arms(config)
  same = {"name": "batch_norm", "epsilon": 0.5, "decay": 0.75}
  assert arms["same"]["norm"] == same
  other = {"name": "l1_batch_norm", "epsilon": 1e-5, "decay": 0.5}
  assert arms["other"]["norm"] == other
  assert arms["other"]["optimizer"]["b1"] == 0.9
  # No optimizer has a learning rate of its own.
  assert arms["other"]["optimizer"]["learning_rate"] == 0.25


def test_a_point_comes_after_the_arm():
  config = _config({"a": {"norm": {"name": "l1_batch_norm", "decay": 0.5}}})
  own = resolve(config, "a", {"norm": {"epsilon": 0.25}})["norm"]
  assert own == {"name": "l1_batch_norm", "epsilon": 0.25, "decay": 0.5}
  own = resolve(config, "a", {"norm": {"name": "batch_norm"}})["norm"]
  assert own == {"name": "batch_norm", "epsilon": 1e-5, "decay": 0.99}
  said = r"grid\.norm\.groups: norm\.name='l1_batch_norm' does .*\(arm 'a'\)"
  with pytest.raises(UserError, match=said):
    resolve(config, "a", {"norm": {"groups": 2}})


def test_an_argument_whose_default_is_not_none_may_be_none():
  whitening = {"name": "whitening", "group_size": None}
  assert _arm({"norm": whitening})["norm"]["group_size"] is None
  assert _arm({"norm": {"name": "whitening"}})["norm"]["group_size"] == 16


@pytest.mark.parametrize(
  ("arms", "message"),
  [
    ({}, "arms: there is none"),
    ({"a": {"norn": {}}}, r"arms\.a\.norn: 'norn' is not known.*'norm'"),
    (
      {"a": {"norm": {"eps": 1.0}}},
      r"arms\.a\.norm\.eps: norm\.name='batch_norm' does not take it; did you "
      r"mean 'epsilon'\? It takes epsilon, decay",
    ),
    ({"a": {"norm": {"name": "bach"}}}, r"norm\.name: 'bach' .* batch_norm"),
    ({"a": {"norm": {"name": 3}}}, r"norm\.name: 3 is not known"),
    ({"a": {"norm": "none"}}, r"arms\.a\.norm: 'none' cannot replace"),
    ({"a": {"steps": {"n": 1}}}, r"arms\.a\.steps: .* cannot replace 1000"),
    ({"a": {"steps": 1.5}}, r"arms\.a\.steps: 1\.5 is of type float.* int"),
    ({"a": {"steps": True}}, r"arms\.a\.steps: True is of type bool.* int"),
    ({"a": {"machine": {}}}, r"arms\.a\.machine: 'machine' is not known"),
    (
      {"a": {"norm": {"name": "none", "epsilon": 1.0}}},
      r"arms\.a\.norm\.epsilon: norm\.name='none' does not take it; it takes "
      "no arguments",
    ),
    (
      {"a": {"model": {"norm": 1}}},
      r"arms\.a\.model\.norm: model\.name='mlp' does not take it",
    ),
    (
      {"a": {"norm": {"decay": "much"}}},
      r"arms\.a\.norm\.decay: 'much' is of type str, and is to be float",
    ),
    (
      {"a": {"norm": {"name": "group_norm", "groups": 1.5}}},
      r"norm\.groups: 1\.5 is of type float, and is to be int or None",
    ),
    (
      {"a": {"model": {"name": "lenet", "channels": (8, "x")}}},
      r"model\.channels: .* is of type tuple, and is to be a tuple of int",
    ),
    (
      {"a": {"optimizer": {"nesterov": 1}}},
      r"optimizer\.nesterov: 1 is of type int, and is to be bool",
    ),
  ],
)
def test_what_is_wrong_is_named(arms, message):
  with pytest.raises(UserError, match=message) as error:
    resolve_arms(_config(arms))
  assert "\n" not in str(error.value)


def test_the_configs_own_arguments_must_apply_to_its_own_entry():
  config = _config({"a": {"norm": {"name": "group_norm"}}})
  config["norm"]["groups"] = 4
  with pytest.raises(UserError, match=r"^norm\.groups: .*'batch_norm' does"):
    resolve_arms(config)


def test_values_are_of_the_types_that_entries_take():
  lenet = {"name": "lenet", "dropout_rate": 0, "channels": [4, 8]}
  spec = _arm({"model": lenet, "optimizer": {"learning_rate": 1}})
  assert type(spec["model"]["dropout_rate"]) is float
  assert spec["model"]["channels"] == (4, 8)
  assert type(spec["optimizer"]["learning_rate"]) is float


@pytest.mark.parametrize("kind", [dict, ConfigDict])
def test_a_config_may_lack_fields(kind):
  whole = complete(kind({"steps": 5, "optimizer": {"name": "adam"}, "l2": 1}))
  assert list(whole) == list(base())
  assert whole["steps"] == 5
  assert whole["l2"] == 1.0
  assert whole["optimizer"] == {"name": "adam", "learning_rate": 1e-2}
  assert whole["model"] == {"name": "mlp"}
  own = complete({"arms": {"a": {}}, "machine": {"memory_gb": 1}})
  assert own["arms"] == {"a": {}}
  assert own["machine"] == base().machine.to_dict() | {"memory_gb": 1.0}


@pytest.mark.parametrize(
  ("config", "message"),
  [
    (
      {"stepz": 5},
      r"config\.stepz: 'stepz' is not known; did you mean 'steps'",
    ),
    ({"steps": "5"}, r"^steps: '5' is of type str, and is to be int"),
    ({"dataset": {"nam": "x"}}, r"dataset\.nam: 'nam' is not known"),
    ({"machine": {"memory": 1}}, r"machine\.memory: .* 'memory_gb'"),
    ({"norm": 3}, r"^norm: 3 cannot replace"),
  ],
)
def test_what_is_wrong_with_a_config_is_told_in_a_line(config, message):
  with pytest.raises(UserError, match=message):
    complete(config)
