"""Does dropout before batch norm shift the variances that inference uses?

Li et al. (2019): dropout lets what a norm sees vary more in training than in
inference, where the norm still divides by training's deviation; behind the last
norm it does no harm. Dropout is right before each norm (`directly_...`), a
dense layer and its ReLU before it (`between_...`), or behind the last norm
alone (`behind_...`), at three rates.

  python scripts/train.py --config=configs/variance_shift.py:mnist
"""

from bnjax.lab.config import base, finish, parse
from bnjax.lab.results import Final, Layers, Rules, greater, less, within

RATES = {"30": 0.3, "50": 0.5, "70": 0.7}
PLACES = {
  "directly": {"dropout_placement": "before_norm"},
  "between": {},
  "behind": {"dropout_layers": (-1,)},
}
DEPTH = 3
INPUTS = tuple(f"norm_input_{i}" for i in range(DEPTH))


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="sgd")
  config.dataset.name = options.dataset
  config.model.update(width=100, depth=DEPTH, init="he", placement="after")
  config.optimizer.learning_rate = 0.1
  config.update(batch_size=128, steps=1000, eval_every=1000, seeds=10)
  config.probes.update(
    shift={"measure": "variance_shift", "layers": INPUTS},
    formula={
      "measure": "dropout_variance_shift",
      "layers": INPUTS,
      "keep": 1.0,
    },
  )
  config.arms = {"none": {}} | {
    f"{place}_{name}": {
      "model": own | {"dropout_rate": rate},
      "probes": {"formula": {"keep": 1 - rate if place == "directly" else 1.0}},
    }
    for place, own in PLACES.items()
    for name, rate in RATES.items()
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  claims = {}
  for i, layer in enumerate(INPUTS):
    shift, own = f"shift/{layer}", {"setting": f"layer {i}"}
    for name, rate in RATES.items():
      claims[f"formula_{name}_{i}"] = within(
        1.05,
        f"Right behind dropout of {rate} the formula holds, within 5%",
        f"directly_{name}",
        None,
        shift,
        versus_metric=f"formula/{layer}",
        ratio=True,
        **own,
      )
      claims[f"behind_{name}_{i}"] = within(
        1.05,
        f"Dropout of {rate} behind the last norm shifts none by 5%",
        f"behind_{name}",
        1.0,
        shift,
        ratio=True,
        **own,
      )
    for place in ("directly", "between") if i else ("directly",):
      what = "before" if place == "directly" else "a dense layer before"
      claims[f"{place}_{i}"] = less(
        f"Dropout of .5 {what} a norm shifts its variance by a fifth or more",
        f"{place}_50",
        1.0,
        shift,
        times=1.2,
        **own,
      )
    claims[f"none_{i}"] = within(
      1.05, "Without dropout none shifts by 5%", "none", 1.0, shift, ratio=True,
      **own,
    )  # fmt: skip
  for name, rate in RATES.items():
    for place in ("directly", "between"):
      claims[f"better_{place}_{name}"] = greater(
        "Behind the last norm dropout is better than before norms: "
        + ("directly" if place == "directly" else "a dense layer between"),
        f"behind_{name}",
        f"{place}_{name}",
        setting=f"rate {rate}",
      )
  shown = ("none", "directly_50", "between_50", "behind_50")
  return Rules(
    claimed={
      "Li et al. 2018": (
        "formula_*",
        "behind_*",
      ),
    },
    title="The variance that dropout leaves to batch norm",
    notes=(
      "Shift: the variance in inference over that in training of a unit of a "
      "norm's input, on 1,000 training examples; the median unit. Formula: "
      "v / ((c² + v) / keep - c²), of its mean c and variance v in inference. "
      "The thresholds, 1.2 and 1.05, were set before anything was run; a run "
      "in small (100 steps, 2 seeds, running averages not yet settled) was "
      "seen.",
    ),
    claims=claims,
    figures={
      "shift": Layers(
        probe="shift",
        layers=INPUTS,
        arms=shown,
        log_y=False,
        title="Variance of norms' inputs, in inference over training",
        label="variance in inference / in training",
      ),
      "accuracy": Final(metrics=("test_accuracy",)),
    },
  )
