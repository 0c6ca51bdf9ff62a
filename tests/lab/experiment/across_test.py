"""How the networks of a program are run where a config leaves it open."""

import jax
import pytest

from bnjax.lab import experiment, results
from bnjax.lab.config import base, complete

LENET = {"name": "lenet", "channels": (2,), "hidden": (4,), "kernel_size": 3}


def _config():
  config = base()
  config.dataset.name = "mnist5k"
  config.batch_size = 20
  config.update(steps=2, eval_every=2, seeds=2)
  small = config.to_dict() | {"arms": {"mlp": {"model": {"width": 8}}}}
  small["arms"]["lenet"] = {"model": LENET}
  small["dataset"]["examples"] = 40
  return small


def _across(asked="auto"):
  config = _config() | {"machine": {"across": asked}}
  programs = experiment.prepare(complete(config))
  return {p.parts[0].networks[0].arm: p.across for p in programs}


def test_convolutions_on_a_cpu_are_mapped_and_all_else_is_vmapped(monkeypatch):
  assert _across() == {"mlp": "vmap", "lenet": "map"}
  for way in ("map", "vmap"):
    assert _across(way) == {"mlp": way, "lenet": way}
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  assert _across() == {"mlp": "vmap", "lenet": "vmap"}


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("run")
  experiment.run(_config(), workdir)
  return workdir


def test_the_environment_says_how_and_the_config_what_was_asked(chosen):
  environment = results.read_json(chosen / "environment.json")
  assert environment["across"] == ["vmap", "map"]
  config = results.read_json(chosen / "config.json")["config"]
  assert config["machine"]["across"] == "auto"


def test_the_same_to_the_bit_as_when_it_is_asked_for(chosen, tmp_path):
  config = _config()
  config["arms"] = {"lenet": config["arms"]["lenet"]}
  experiment.run(config | {"machine": {"across": "map"}}, tmp_path)
  rows = lambda folder: [
    {k: v for k, v in row.items() if not k.endswith("_seconds")}
    for row in results.read_workdir(folder).rows
    if row["arm"] == "lenet"
  ]
  assert rows(tmp_path) == rows(chosen)
