"""Is the larger learning rate that batch norm allows all of its gain?

Bjorck et al. (2018): a plain deep network trains at small rates alone, at which
batch norm is no better; what it allows are rates that are much larger. Without
it all examples push a unit the same way, and a step too large makes activations
explode from layer to layer; batch norm in the last hidden layer alone does most
of what it does in all. The arms `first_...` end after one step.

  python scripts/train.py --config=configs/learning_rate_limits.py:mnist
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import Field, Layers, Rules, greater, less, within

# Factors of 2 where networks cease to train, and two rates that are tiny.
RATES = (1e-4, 1e-3, *(round(0.01 * 2**i, 2) for i in range(12)))
BEST, LARGE = 0.16, 10.24
DEPTH, MIDDLE = 10, 5
SIZES = f"growth:size/activation_{{{DEPTH - 1}..1}}"


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="sgd")
  config.dataset.name = options.dataset
  config.model.update(width=64, depth=DEPTH, init="he")
  config.update(batch_size=100, steps=300, eval_every=300, seeds=5)
  config.probe_examples = 500
  rates = (BEST, LARGE) if options.smoke else RATES
  config.grid = {"optimizer": {"learning_rate": rates}}
  config.arms = {
    "none": NO_NORM,
    "batch_norm": {},
    "last": {"model": {"norm_layers": (-1,)}},
    "first_none": NO_NORM | {"steps": 1},
    "first_batch_norm": {"steps": 1},
  }
  config.probes.update(
    size={"measure": "root_mean_square", "layers": "activation_*"},
    coherence={
      "measure": "coherence",
      "of": "output_gradient",
      "layers": "preactivation_*",
    },
  )
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  rate = "largest_learning_rate"
  at = f"@learning_rate={BEST}"
  coherence = f"coherence/preactivation_{MIDDLE}{at}"
  large = f"{SIZES}@learning_rate={LARGE}"
  return Rules(
    claimed={
      "Bjorck et al. 2018": (
        "rates",
        "last_rates",
        "same_rate",
        "best_rate",
        "coherent",
        "incoherent",
        "explodes",
      ),
    },
    title="Learning rates: the largest, and what batch norm does at small ones",
    grid_threshold=0.8,
    notes=(
      "A network trains where its validation accuracy reaches .8 in 300 steps. "
      "Coherence: of the gradient entering the activation of layer 5, summed "
      "over 500 training examples, the size over the sum of sizes. Growth: of "
      "the activations' root mean square, per layer, after one step at rate "
      f"{LARGE}. Before the claims stood, one other seed without a norm was "
      "seen: best at rate .16, its coherence .10, growth 1.5.",
    ),
    claims={
      "rates": greater(
        "Batch norm trains at rates over ten times as large",
        "batch_norm",
        "none",
        rate,
        times=10.0,
        published="ResNet-110: 1e-4 to .003 without, .1 and more with it",
      ),
      "last_rates": greater(
        "In the last hidden layer alone it trains at rates over twice as large",
        "last",
        "none",
        rate,
        times=2.0,
        published=".03 in the place of .003 at most",
      ),
      "same_rate": within(
        0.02,
        "At the best rate without batch norm it changes less than two points",
        "batch_norm",
        "none",
        f"test_accuracy{at}",
        setting=f"rate {BEST}",
        published="81.3% with it, 82% without, at rate 1e-4",
      ),
      "best_rate": greater(
        "At the best rate of each batch norm is over a point better",
        "batch_norm",
        "none",
        "test_accuracy@best",
        margin=0.01,
        published="93% and 82%",
      ),
      "coherent": greater(
        "Without batch norm examples push a unit the same way: over half",
        "none",
        0.5,
        coherence,
        step=0,
        published="sums as large as sums of sizes, or nearly",
      ),
      "incoherent": less(
        "With batch norm they cancel: under a fifth is left",
        "batch_norm",
        0.2,
        coherence,
        step=0,
      ),
      "explodes": greater(
        "Too large a step, no batch norm: activations double layer by layer",
        "first_none",
        2.0,
        large,
        published="layer 8: 1, layer 44: 3e3, layer 80: 3e8",
      ),
      "stays": within(
        1.2,
        "The same with batch norm: they stay of one size, to a fifth per layer",
        "first_batch_norm",
        1.0,
        large,
        ratio=True,
      ),
    },
    figures={
      "rate": Field(
        x="optimizer.learning_rate",
        metrics=("test_accuracy",),
        arms=("none", "last", "batch_norm"),
        label="learning rate",
      ),
      "explosion": Layers(
        probe="size",
        layers=(f"activation_{{0..{DEPTH - 1}}}",),
        arms=("first_none", "first_batch_norm"),
        at=f"learning_rate={LARGE}",
        title=f"Activations after one step at rate {LARGE}",
        label="root mean square",
      ),
      "coherence": Layers(
        probe="coherence",
        layers=(f"preactivation_{{0..{DEPTH - 1}}}",),
        arms=("none", "last", "batch_norm"),
        at=f"learning_rate={BEST}",
        step=0,
        log_y=False,
        title="What of the gradients is left in their sum over examples",
        label="|Σ g| / Σ |g|",
      ),
    },
  )
