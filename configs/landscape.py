"""How smooth is the loss with batch norm, and is it so from the start?

Santurkar et al. (2018): along the gradient the loss and the gradient change
less with batch norm. Page (2019): it is what batch norm goes on doing that
removes the largest eigenvalues of the Hessian, and not where it starts: the
same weights with the statistics frozen have them. Both are looked at along
training, at two rates.

  python scripts/train.py --config=configs/landscape.py:mnist
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import Curves, Fan, Final, Rules, greater, less, within

RATES = {"": 0.1, "slow_": 0.01}
# From a thousandth of the paper's shortest step, .5 rates, over its longest, 4.
STEPS = (5e-5, 5e-4, 5e-3, 0.04, 0.05, 0.1, 0.2, 0.4, 1.0)
LOOKS = (100, 400)
NORMS = {
  "none": NO_NORM,
  "frozen": {"norm": {"name": "frozen_batch_norm"}, "population_batches": 20},
  "batch_norm": {},
}


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="sgd")
  config.dataset.name = options.dataset
  config.update(batch_size=128, steps=400, eval_every=100, seeds=5)
  if "cifar" in options.dataset:
    config.model.update(name="lenet", init="he", placement="before")
    config.model.norm_dense = True
    config.update(probe_examples=500, evaluate_at=(config.steps,))
    # The bound is 9 GB, as if all that a look computes were kept; with 1,000
    # examples the process had 2.8.
    config.machine.memory_gb = 10.0
  else:
    config.model.update(width=100, depth=8, init="he")
  config.machine.across = "map"
  config.arms = {
    prefix + name: norm | {"optimizer": {"learning_rate": rate}}
    for prefix, rate in RATES.items()
    for name, norm in NORMS.items()
  }
  config.probes.update(
    along={"measure": "loss_along_gradient", "steps": STEPS},
    eigenvalues={
      "measure": "top_eigenvalues",
      "count": 10,
      "products": 20,
    },
  )
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  largest, share = "eigenvalues/loss[0][0]", "eigenvalues/loss[0][1]"
  at = lambda rate, step: {
    "step": min(step, config.steps),
    "setting": f"rate {rate}, step {min(step, config.steps)}",
  }
  claims = {}
  for prefix, rate in RATES.items():
    none, frozen, norm = (prefix + name for name in NORMS)
    shortest, longest = (STEPS.index(times * rate) for times in (0.5, 4))
    for step in LOOKS:
      own = at(rate, step)
      claims[f"{prefix}distance_{step}"] = greater(
        "Four rates along it the gradient changes a fifth with batch norm",
        none,
        norm,
        f"along/loss[{longest}][3]",
        times=5.0,
        published="the text: two orders; figure 11a: 255 to 38, 200 to 28",
        **own,
      )
      claims[f"{prefix}change_{step}"] = less(
        "It changes less also relative to the gradient",
        norm,
        none,
        f"along/loss[{longest}][1]",
        **own,
      )
      for arm in (none, norm):
        claims[f"saturates_{arm}_{step}"] = within(
          1.25,
          "The gradient changes by its own size in half a rate: "
          + arm.removeprefix(prefix).replace("_", " "),
          arm,
          1.0,
          f"along/loss[{shortest}][1]",
          ratio=True,
          published="figure 4c: both at 20 = 1 / (.5 of .1) from step 4,000 on",
          **own,
        )
    for step in LOOKS if prefix == "" else (0, *LOOKS):
      own = at(rate, step)
      for arm in (none, frozen):
        claims[f"eigenvalue_{arm}_{step}"] = greater(
          "The largest eigenvalue is over ten times batch norm's: "
          + arm.removeprefix(prefix),
          arm,
          norm,
          largest,
          times=10.0,
          published="Page: one to two orders",
          **own,
        )
        claims[f"larger_{arm}_{step}"] = greater(
          "The largest eigenvalue is larger than batch norm's: "
          + arm.removeprefix(prefix),
          arm,
          norm,
          largest,
          times=1.0,
          **own,
        )
      claims[f"share_{frozen}_{step}"] = greater(
        "Frozen: the first eigenvector lies in the span of outputs' means",
        frozen,
        0.5,
        share,
        published="Page: almost wholly",
        **own,
      )
  place = STEPS.index(0.4)
  return Rules(
    claimed={
      "Santurkar et al. 2018": (
        "*distance_*",
        "*change_*",
        "saturates_*",
        "*saturates_*",
      ),
      "Page 2019": (
        "*eigenvalue_*",
        "*larger_*",
        "*share_*",
      ),
    },
    title="The loss along its gradient, and its curvature",
    notes=(
      "On 1,000 training examples. Steps along the gradient and rates are the "
      "same thing here: plain gradient descent. Before the claims stood a run "
      "in small was seen (2 layers, 20 steps), and before those at rate .01, "
      "and that an eigenvalue is larger at all, a whole one at .1, at which "
      "one of five frozen networks diverges.",
    ),
    claims=claims,
    figures={
      "fan": Fan(
        probe="along",
        x=STEPS,
        column=1,
        arms=tuple(f"slow_{name}" for name in NORMS),
        title="Change of the gradient along it, relative to it",
        label="|g' - g| / |g|",
        x_label="step along the gradient",
      ),
      "largest": Final(
        metrics=(largest,),
        log_x=True,
        titles=("largest eigenvalue of the Hessian in the end",),
      ),
      "along": Curves(
        metrics=(f"along/loss[{place}][3]", f"along/loss[{place}][1]"),
        titles=("change of the gradient after .4", "the same relative to it"),
        log_y=True,
      ),
      "eigenvalues": Curves(
        metrics=(largest, share, "validation_accuracy"),
        titles=(
          "largest eigenvalue of the Hessian",
          "its vector in the span of outputs' means",
          "validation accuracy",
        ),
      ),
    },
  )
