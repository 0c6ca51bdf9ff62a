"""Every config loads, is valid at every size, and sets what it should."""

import dataclasses
import pathlib
import re

import pytest

from bnjax.lab import config_file, experiment, report, results
from bnjax.lab.config import base, complete, log_space, parse, resolve_arms
from bnjax.lab.errors import UserError
from bnjax.lab.experiment.recorder import recorded
from bnjax.lab.experiment.validation import check_spec

_IDENTITY = {"arm", "seed", "step", "point", "diverged_step"}
CONFIGS = sorted(
  (pathlib.Path(__file__).parent.parent / "configs").glob("*.py")
)


# Networks that take seconds to trace, and others to compile and to run: of the
# arms of these one is trained, and two of all others.
DEEP = (
  "covariate_shift",
  "deep_linear",
  "deep_signal",
  "gradient_growth",
  "inception_cifar",
  "inception_imagenet",
  "landscape",
  "one_update",
  "rank_collapse",
  "residual_branch",
  "residual_depth",
  "shattered_gradients",
)
# As few layers as their rules can be judged by: the rest is more of the same.
SHALLOW = {
  "covariate_shift": {"depth": 7},
  "deep_linear": {"depth": 17},
  "inception_cifar": {"blocks": ("3c",)},
  "inception_imagenet": {"blocks": ("3c",)},
  "landscape": {"depth": 1},
}
# Of so many programs that to trace all takes ten seconds; their records were
# made with these settings.
MANY = ("normalization_batch", "only_batch_norm", "trainability_depth")
# Of as few examples what a probe does with each takes seconds.
FEW_PROBED = {"adversarial": 10}
SLOW = (
  *DEEP,
  "accelerating",
  "adversarial",
  "cost",
  "learning_rate_limits",
  "lenet",
  "normalization_batch",
  "only_batch_norm",
  "placement",
  "trainability_depth",
)


def _get_config(path):
  return config_file.load(path).get_config


def _rules(path, config):
  return config_file.read_rules(str(path), config)


@pytest.mark.parametrize("argument", ["", "smoke"])
@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_config_is_valid(path, argument):
  config = _get_config(path)(*argument.split()).to_dict()
  rules = _rules(path, config)
  arms = resolve_arms(config)
  results.check_rules(rules, config, recorded(arms.values()))
  if argument or path.stem in (*DEEP, *MANY):
    for spec in arms.values():
      check_spec(spec)
  else:
    experiment.prepare(complete(_get_config(path)(*argument.split())), rules)
  assert rules.title
  assert rules.claims
  assert set(config) == set(base().to_dict())
  assert results.Rules.from_json(results.to_strict(rules.to_json())) == rules
  strict = results.to_strict(config)  # as it is recorded
  assert _rules(path, strict) == rules


def test_no_arm_of_the_default_config_is_left_over():
  module = config_file.load(next(p for p in CONFIGS if p.stem == "deep_signal"))
  named = {*module.INITS, *module.OWN, *module.POST}
  assert set(module.get_config().arms) == named


def test_the_ensemble_has_rules_of_its_own():
  path = next(p for p in CONFIGS if p.stem == "inception_imagenet")
  config = _get_config(path)("ensemble").to_dict()
  rules = _rules(path, config)
  results.check_rules(rules, config)
  assert list(rules.claims) == ["best"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_smoke_is_small_and_the_rest_is_the_same(path):
  full = _get_config(path)().to_dict()
  smoke = _get_config(path)("smoke").to_dict()
  assert smoke["steps"] * smoke["batch_size"] < 10_000
  for field in ("norm", "optimizer", "probes"):
    assert smoke[field] == full[field]
  other = {k for k, v in smoke["model"].items() if v != full["model"].get(k)}
  # An Inception of fewer blocks, for smaller images, compiles in seconds.
  assert other <= ({"name", "blocks"} if "inception" in path.stem else set())
  assert set(smoke["arms"]) == set(full["arms"])
  for part in (smoke, *smoke["arms"].values()):
    assert max(part.get("seeds", 1), part.get("population_batches", 1)) <= 2
  assert _rules(path, smoke).claims.keys() == _rules(path, full).claims.keys()


def _with_few_arms(config, rules, number):
  """Some arms and what is said of them: every arm is a program to compile."""
  arms = list(config["arms"])[:number]
  others = set(config["arms"]) - set(arms)
  of_them = lambda rule, *fields: (
    not {getattr(rule, f) for f in fields} & others
  )
  any_arm = lambda shown: {
    name: dataclasses.replace(one, arms=()) for name, one in shown.items()
  }
  few = dataclasses.replace(
    rules,
    published=[
      p
      for p in rules.published
      if of_them(p, "arm") and getattr(p, "relative_to", None) not in others
    ],
    claims={
      k: v for k, v in rules.claims.items() if of_them(v, "arm", "versus")
    },
    figures=any_arm(rules.figures),
    tables=any_arm(rules.tables),
  )
  return config | {"arms": {arm: config["arms"][arm] for arm in arms}}, few


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_experiment_runs_small_and_reports(path, tmp_path):
  config = _get_config(path)("smoke").to_dict()
  number = 1 if path.stem in SLOW else 2
  config, rules = _with_few_arms(config, _rules(path, config), number)
  config["seeds"] = 1
  config["dataset"]["examples"] = 100
  config["probe_examples"] = FEW_PROBED.get(path.stem, 100)
  if path.stem in DEEP:  # in float64, or on large images
    config["batch_size"] = min(config["batch_size"], 10)
    config["model"] |= SHALLOW.get(path.stem, {})
  summary = experiment.run(config, tmp_path, rules=rules)
  rows = results.read_workdir(tmp_path).rows
  assert {row["arm"] for row in rows} == set(config["arms"])
  told = recorded(resolve_arms(config).values())
  assert {name for row in rows for name in row} - _IDENTITY == told
  assert {claim["name"] for claim in summary["claims"]} == set(rules.claims)
  # What is kept of it says the same, but for times that no rule looks at. Its
  # report is drawn for that.
  report.export_run(tmp_path, tmp_path / "kept")
  shown = {  # a published curve's steps are not reached, some arms not trained
    name
    for name, figure in rules.figures.items()
    if not any(m.startswith("distance:") for m in figure.named_metrics())
    and not getattr(figure, "groups", {})
  }
  drawn = {path.stem for path in (tmp_path / "report").glob("*.png")}
  assert drawn >= shown
  kept = results.read_workdir(tmp_path / "kept").summarize()
  published = lambda whole: [e for e in whole["entries"] if e["published"]]
  assert published(kept) == published(summary)
  for part in ("claims", "curves", "layers"):
    assert kept[part] == summary[part]


def test_the_published_settings_of_init_robustness():
  path = next(p for p in CONFIGS if p.stem == "init_robustness")
  arms = resolve_arms(_get_config(path)("mnist").to_dict())
  spec = arms["batch_norm_as_published"]
  published = {
    "model": {
      "name": "mlp",
      "width": 256,
      "depth": 2,
      "activation": "relu",
      "init": "randn",
      "later_init": "",
      "init_scale": 1.0,
      "placement": "before",
      "norm_layers": (),
      "dropout_rate": 0.5,
      "dropout_placement": "last",
      "dropout_layers": (),
      "use_bias": True,
      "derivative": "as_published",
    },
    "norm": {"name": "batch_norm", "epsilon": 1e-8, "decay": 0.9},
    "l2": 1e-3,
    "sampler": "fixed",
    "batch_size": 256,
    "steps": 1000,
    "eval_every": 100,
    "seeds": 5,
    "seed": 0,
  }
  assert {field: spec[field] for field in published} == published
  adam = {"learning_rate": 1e-2, "b1": 0.9, "b2": 0.999, "eps": 1e-8}
  assert adam.items() <= spec["optimizer"].items()


def test_make_reproduce_all_runs_all_that_is_published():
  """With the arguments it was published with, where the data are the same."""
  root = CONFIGS[0].parent.parent
  makefile = (root / "Makefile").read_text(encoding="utf-8")
  (text,) = re.findall(r"^EXPERIMENTS = (.*?[^\\])$", makefile, re.S | re.M)
  jobs = text.replace("$(CIFAR)", "cifar10_jpeg").replace("\\", " ").split()
  kept = [p.parent.name for p in root.glob("docs/results/*/config.json")]
  assert sorted(job.replace(":", "-") for job in jobs) == sorted(kept)


def test_the_argument_of_a_config():
  assert parse(None) == ("mnist", False)
  assert parse("smoke") == ("mnist5k", True)
  assert parse("mnist,smoke") == ("mnist", True)
  assert parse("smoke", dataset="gaussian") == ("gaussian", True)
  with pytest.raises(UserError, match="'cifar10' is one data set too many"):
    parse("mnist,cifar10")


def test_log_space():
  assert log_space(1e-3, 1e1, 5) == (1e-3, 1e-2, 0.1, 1.0, 10.0)
