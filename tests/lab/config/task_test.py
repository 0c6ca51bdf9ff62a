"""From a specification to a task; tables and code from outside."""

import sys
import types

import flax.linen as nn
import jax
import optax
import pytest

from bnjax.lab import experiment, probes
from bnjax.lab.config import (
  complete,
  make_task,
  resolve,
  task as task_module,
  traceable,
)
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import plan, validation
from bnjax.lab.launch.axes import read_axis
from bnjax.lab.registry import Traced
from bnjax.lab.train.optim import OPTIMIZERS


class Net(nn.Module):
  num_classes: int
  norm: type[nn.Module]
  slope: Traced[float] = 0.5
  other: float = 0.5

  @nn.compact
  def __call__(self, x, *, train, mask=None):
    x = nn.Dense(4)(x.reshape(len(x), -1))
    x = self.norm(name="norm")(x, use_running_average=not train)
    return self.slope * nn.Dense(self.num_classes)(x)


def plain(x):
  return jax.numpy.mean(x) * 3


def scaled(x, factor: float = 2.0):
  return jax.numpy.mean(x) * factor


def rate_per_step(rate: Traced[float], other: Traced[float] = 1.0):
  return optax.sgd(rate * other)


@pytest.fixture(autouse=True)
def outside(monkeypatch):
  """These, as a module of somebody else's."""
  module = types.ModuleType("task_outside")
  module.__dict__.update(
    Net=Net,
    plain=plain,
    scaled=scaled,
    rate_per_step=rate_per_step,
    sgdw=lambda learning_rate, decay=0.0: optax.sgd(learning_rate),
    slower=lambda factor: lambda rate: lambda step: rate * factor**step,
    double=lambda: lambda key, images: images * 2,
    zero=lambda: lambda outputs, labels, mask: 0,
    Headless=lambda norm: None,
    nothing=lambda **kwargs: {},
    lists=lambda learning_rate: [learning_rate],
  )
  monkeypatch.setitem(sys.modules, "task_outside", module)


def _spec(**groups):
  groups.setdefault("model", {"name": "mlp", "width": 4, "depth": 1})
  config = {"dataset": {"name": "digits"}, "batch_size": 8, **groups}
  return resolve(complete(config | {"arms": {"a": {}}}), "a")


def _task(**groups):
  return make_task(_spec(**groups), num_classes=3, pixel_mean=0.25)


def test_every_group_may_be_of_outside():
  optimizer = {"name": "task_outside:sgdw", "learning_rate": 0.5}
  task = _task(
    model={"name": "task_outside:Net"},
    norm={"name": "flax.linen:LayerNorm"},
    optimizer=optimizer,
    schedule={"name": "task_outside:slower", "factor": 0.5},
    augment={"name": "task_outside:double"},
    loss={"name": "task_outside:zero"},
  )
  assert isinstance(task.model, Net)
  assert isinstance(task.model.norm(), nn.LayerNorm)
  state = task.optimizer.init({"w": jax.numpy.ones(())})
  rates = []
  for _ in range(3):
    gradient = {"w": jax.numpy.ones(())}
    update, state = task.optimizer.update(gradient, state)
    rates.append(float(-update["w"]))
  assert rates == [0.5, 0.25, 0.125]
  assert task.augment(None, 3) == 6
  assert task.loss(None, None, None) == 0
  assert task.pixel_mean == 0.25


@pytest.mark.parametrize(
  ("groups", "said"),
  [
    (
      {"model": {"name": "task_outside:Headless"}},
      "'task_outside:Headless' does not take num_classes, which every model",
    ),
    (
      {"model": {"name": "task_outside:nothing"}},
      "'task_outside:nothing' makes a dict, and is to make a Flax module",
    ),
    (
      {"norm": {"name": "task_outside:nothing"}},
      "norm.name: 'task_outside:nothing' makes a dict",
    ),
    (
      {"optimizer": {"name": "task_outside:lists"}},
      "makes a list, and is to make an optax transformation",
    ),
    (
      {"schedule": {"name": "task_outside:slower"}},
      "schedule.factor: is not set, and schedule.name='task_outside:slower'",
    ),
    (
      {"model": {"name": "task_outside:Net", "slop": 1.0}},
      "model.slop: model.name='task_outside:Net' does not take it; did you "
      "mean 'slope'? It takes slope, other",
    ),
  ],
)
def test_what_is_wrong_with_it_is_one_line(groups, said):
  with pytest.raises(UserError) as error:
    _task(**groups)
  assert said in str(error.value)


def test_traceable_is_what_is_annotated_so():
  spec = _spec(
    model={"name": "task_outside:Net"},
    optimizer={"name": "task_outside:rate_per_step", "rate": 1.0},
  )
  assert traceable(spec) == [
    "l2",
    "model.slope",
    "norm.epsilon",
    "norm.decay",
    "optimizer.rate",
    "optimizer.other",
  ]
  assert "model.slope" not in traceable(
    _spec(model={"name": "task_outside:Net", "slope": 0.0})
  )
  for name in OPTIMIZERS:
    spec = _spec(optimizer={"name": name, "learning_rate": 0.1})
    (field,) = (f for f in traceable(spec) if f.startswith("optimizer"))
    assert field == "optimizer.learning_rate"


def _config(**fields):
  config = {
    "model": {"name": "task_outside:Net"},
    "dataset": {"name": "digits"},
    "arms": {"a": {}},
    "seeds": 1,
    "batch_size": 8,
  }
  return complete(config | fields)


def test_networks_share_a_program_by_annotation():
  traced = _config(grid={"model": {"slope": (0.25, 0.5)}})
  apart = _config(grid={"model": {"other": (0.25, 0.5)}})
  (group,) = plan.groups(plan.networks(traced))
  assert group.hyper == {"model.slope": (0.25, 0.5)}
  assert len(plan.groups(plan.networks(apart))) == 2


def test_a_task_is_built_and_memory_estimated_once(monkeypatch):
  built, estimated = [], []
  make, estimate = validation.make_task, validation.memory.estimate
  monkeypatch.setattr(
    validation, "make_task", lambda *a, **k: built.append(1) or make(*a, **k)
  )
  monkeypatch.setattr(
    validation.memory,
    "estimate",
    lambda *a: estimated.append(1) or estimate(*a),
  )
  arms = {"a": {}, "b": {"norm": {"name": "none"}}}
  config = _config(arms=arms, steps=0)
  first, second = experiment.prepare(config)
  assert (len(built), len(estimated)) == (2, 2)
  assert first.task.model.norm.func is not second.task.model.norm.func


def test_running_builds_no_other_task(monkeypatch, tmp_path):
  built = []
  make = task_module.make_task

  def count(*arguments, **keywords):
    built.append(1)
    return make(*arguments, **keywords)

  for module in ("validation", "runner"):
    monkeypatch.setattr(f"bnjax.lab.experiment.{module}.make_task", count)
  config = _config(steps=1, eval_every=1, probes={
    "p": {"measure": "task_outside:plain", "layers": "Dense_0"},
  })  # fmt: skip
  experiment.run(config, tmp_path)
  assert len(built) == 1
  assert "task_outside:plain" in (tmp_path / "config.json").read_text()
  assert '"probe": "p"' in (tmp_path / "probes.jsonl").read_text()


def test_a_measure_is_a_function_of_an_array():
  group = {"p": {"measure": "task_outside:scaled", "factor": 4.0}}
  (probe,) = probes.make_probes(group)
  assert probe(jax.numpy.ones((2, 3))) == 4.0
  with pytest.raises(UserError, match=r"probes\.p\.fact: .*'factor'"):
    probes.make_probes({"p": {"measure": "task_outside:scaled", "fact": 4}})
  with pytest.raises(UserError, match=r"probes\.p\.measure: .* has no 'nope'"):
    probes.make_probes({"p": {"measure": "task_outside:nope"}})


@pytest.mark.parametrize(
  ("text", "values"),
  [
    ("norm.epsilon=1e-3,1", (1e-3, 1.0)),
    ("norm.groups=2,none", (2, None)),
    ("model.slope=log:1e-2..1:3", (1e-2, 1e-1, 1.0)),
    ("model.width=log:2..8:3", (2, 4, 8)),
    ("model.use_bias=true,false", (True, False)),
    ("optimizer.nesterov=true", (True,)),
  ],
)
def test_what_is_unset_is_swept(text, values):
  points = read_axis(text, _config())
  found = [value for point in points for value in point.values()]
  assert [(type(v), v) for v in found] == [(type(v), v) for v in values]


def test_what_nothing_takes_is_not_swept():
  with pytest.raises(UserError, match=r"norm\.decai: .* mean 'decay'"):
    read_axis("norm.decai=1", _config())
