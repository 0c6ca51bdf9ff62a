"""Do gradients vanish and units die from the 2016 post's initialization?

"Implementing BatchNorm in Neural Net" explains what it sees: from weights
N(0, 1) activations saturate, which kills ReLUs, and gradients vanish without
batch norm. Here are the gradients at the first step and the dead units before
and after training. The post prints `W1=np.random.randn(D, H)`, which may mean
that only the first matrix is drawn so (`..._first`, the others as in its code
otherwise, by He) or all of them, as its losses say.

  python scripts/train.py --config=configs/init_gradients.py:mnist
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import Curves, Layers, Rules, greater, less


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="adam")
  config.dataset.name = options.dataset
  config.model.update(width=256, depth=2, init="randn", dropout_rate=0.5)
  config.norm.update(epsilon=1e-8, decay=0.9)
  config.l2 = 1e-3
  config.sampler = "fixed"
  config.update(batch_size=256, steps=1000, eval_every=100, seeds=5)
  hidden = {"layers": "preactivation_*"}
  config.probes = {
    "gradient": {"measure": "norm", "of": "gradient", "layers": "*/kernel"},
    "dead": {"measure": "dead_units", **hidden},
    "zeros": {"measure": "zero_fraction", "layers": "activation_*"},
  }
  first = {"model": {"later_init": "he"}}
  config.arms = {
    "batch_norm": {},
    "no_batch_norm": NO_NORM,
    "batch_norm_first": first,
    "no_batch_norm_first": NO_NORM | first,
  }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  plain, first = "no_batch_norm", "no_batch_norm_first"
  gradient = "gradient/{}/kernel".format
  early = {"step": 0}
  vanish = "Layer 1's gradient is a tenth of the output's or less at the start"
  smaller = "Layer 1's gradient is smaller than with batch norm at the start"
  zeros = "At the start more activations are zero than with batch norm"
  dead = "After training more units are dead than with batch norm"
  rescue = "With randn in the first matrix alone it needs rescue: below 90%"
  alone = "With randn in the first matrix alone batch norm is better"
  claims = {
    "vanish": less(
      vanish, plain, None, gradient("dense_0"), times=10.0,
      versus_metric=gradient("output"), **early,
    ),
    "smaller": less(
      smaller, plain, "batch_norm", gradient("dense_0"), times=1.0, **early
    ),
    **{
      f"zeros_{layer}": greater(
        zeros, plain, "batch_norm", f"zeros/activation_{layer}",
        margin=0.05, setting=f"layer {layer + 1}", **early,
      )
      for layer in (0, 1)
    },
    **{
      f"dead_{layer}": greater(
        dead, plain, "batch_norm", f"dead/preactivation_{layer}",
        margin=0.05, setting=f"layer {layer + 1}",
      )
      for layer in (0, 1)
    },
    "rescue": less(rescue, first, 0.9),
    "first": greater(alone, "batch_norm_first", first),
  }  # fmt: skip
  return Rules(
    claimed={
      "Kristiadi 2016": (
        "vanish",
        "smaller",
        "zeros_*",
        "dead_*",
      ),
    },
    title="Gradients and dead units of a bad initialization",
    claims=claims,
    notes=(
      "An outside check had gradient norms of 236, 231 and 259 at the first "
      "step without batch norm, and .940 with randn in the first matrix alone, "
      "before these claims were written.",
    ),
    figures={
      "accuracy": Curves(metrics=("test_accuracy",)),
      "gradient": Layers(probe="gradient", step=0),
      "dead": Layers(probe="dead", log_y=False, label="dead units"),
    },
    tables={
      "gradient": Layers(
        probe="gradient", step=0, title="Norm of the gradient at the start"
      ),
      "zeros": Layers(
        probe="zeros", step=0, log_y=False, title="Activations that are zero"
      ),
      "dead": Layers(
        probe="dead", log_y=False, title="Dead units after training"
      ),
    },
  )
