"""Every config loads, is valid at every size, and sets what it should."""

import importlib.util
import pathlib

import pytest

from bnjax import experiment, results
from bnjax.arms import resolve_arms

CONFIGS = sorted(
  (pathlib.Path(__file__).parent.parent / "configs").glob("*.py")
)


def _get_config(path):
  spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module.get_config


@pytest.mark.parametrize("argument", ["", "smoke", "mnist", "mnist,smoke"])
@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_config_is_valid(path, argument):
  config = _get_config(path)(*argument.split()).to_dict()
  results.check_rules(config)
  for spec in resolve_arms(config).values():
    experiment.validate(spec)
  assert config["title"]
  for field in ("seeds", "steps", "eval_every", "published", "claims"):
    assert field in config


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_smoke_is_small_and_the_rest_is_the_same(path):
  full = _get_config(path)("mnist").to_dict()
  smoke = _get_config(path)("mnist,smoke").to_dict()
  assert smoke["steps"] * smoke["batch_size"] < 10_000
  for field in ("arms", "norm", "optimizer", "published", "dataset"):
    assert smoke[field] == full[field]


def test_the_published_settings_of_init_robustness():
  path = next(p for p in CONFIGS if p.stem == "init_robustness")
  arms = resolve_arms(_get_config(path)("mnist").to_dict())
  spec = arms["batch_norm_as_published"]
  assert spec == {
    "dataset": {"name": "mnist"},
    "model": {
      "name": "mlp",
      "width": 256,
      "depth": 2,
      "activation": "relu",
      "init": "randn",
      "init_scale": 1.0,
      "placement": "before",
      "dropout_rate": 0.5,
      "use_bias": True,
      "derivative": "as_published",
    },
    "norm": {"name": "batch_norm", "epsilon": 1e-8, "decay": 0.9},
    "optimizer": {
      "name": "adam",
      "learning_rate": 1e-2,
      "b1": 0.9,
      "b2": 0.999,
      "eps": 1e-8,
      "nesterov": False,
    },
    "l2": 1e-3,
    "sampler": "fixed",
    "batch_size": 256,
    "steps": 1000,
    "eval_every": 100,
    "seeds": 5,
    "seed": 0,
  }
