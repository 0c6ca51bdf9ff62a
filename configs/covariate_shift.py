"""Is it covariate shift that batch norm reduces, and is that why it helps?

Ioffe and Szegedy (2015): it reduces how far the distribution of a layer's
inputs drifts. Santurkar et al. (2018): it helps also where noise makes them
drift further than without a norm, and it does not keep a layer's gradient from
turning when the layers before it are updated. Each norm is trained at several
rates, by plain gradient descent and (`equal_...`) with updates of equal size
relative to each array of weights: a tenth of the rate, `optax.lars`.

  python scripts/train.py --config=configs/covariate_shift.py:mnist
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.results import (
  Curves,
  Field,
  Final,
  Histograms,
  Rules,
  greater,
  less,
  within,
)

# Images in colour have the first three, and fewer arms.
RATES, SHARED = (0.03, 0.1, 0.3, 1.0), 0.1
MLP = {"name": "mlp", "width": 100, "depth": 8, "init": "he"}
CNN = {
  "name": "lenet",
  "init": "he",
  "placement": "before",
  "norm_dense": True,
}
COLOURED = ("cifar10", "cifar10_jpeg")
EQUAL = {
  "optimizer": {
    "name": "optax:lars",
    "trust_coefficient": 0.1,
    "momentum": 0.0,
  }
}

# Where networks are compared: the arms' prefix, the point of the grid.
PLACES = {
  "rate": ("", f"@learning_rate={SHARED}", f"at rate {SHARED}"),
  "best": ("", "@best", "at the best rate of each"),
  "equal": (
    "equal_",
    f"@learning_rate={SHARED}",
    "updates of a hundredth of the weights",
  ),
}
DRIFTS = {
  "wasserstein": "the distribution",
  "mean": "the mean",
  "variance": "the variance",
}

# What is also trained with updates of equal size.
EVEN = ("none", "batch_norm", "noisy_half", "noisy_8", "frozen", "l1")
EVEN += ("layer_norm",)

# Of the noise of Santurkar et al.'s Algorithm 1, which follows batch norm.
DOSES = {"0": 0.0, "half": 0.5, "1": 1.0, "2": 2.0, "4": 4.0, "8": 8.0}


def norms(coloured):
  """The arms' norms by name; images in colour have fewer doses."""
  doses = ("half", "2", "8") if coloured else DOSES
  noisy = {"name": "noisy_batch_norm"}
  return {
    "none": NO_NORM,
    "batch_norm": {},
    **{
      f"noisy_{dose}": {"norm": noisy | {"dose": DOSES[dose]}} for dose in doses
    },
    "frozen": {"norm": {"name": "frozen_batch_norm"}, "population_batches": 20},
    "l1": {"norm": {"name": "l1_batch_norm"}},
    "layer_norm": {"norm": {"name": "layer_norm"}},
  }


def layers(config):
  """The two layers that are looked at, each after layers with a norm."""
  return (2, 3) if config.model.name == "lenet" else (3, 6)


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  coloured = options.dataset in COLOURED
  config = base(model="mlp", optimizer="sgd")
  config.dataset.name = options.dataset
  config.model.update(CNN if coloured else MLP)
  config.update(batch_size=128, steps=600, eval_every=40, seeds=5)
  if coloured:
    config.update(batch_size=64, steps=400)
  config.evaluate_at = (config.steps,)
  # What one update does to as many examples.
  config.probe_examples = config.batch_size
  config.machine.across = "map"
  own = norms(coloured)
  even = [name for name in EVEN if name in own]
  if coloured:
    even = ["none", "batch_norm", "noisy_half", "frozen"]
  config.arms = own | {f"equal_{name}": own[name] | EQUAL for name in even}
  rates = RATES[:3] if coloured else RATES
  rates = RATES[1:3] if options.smoke else rates
  config.grid = {"optimizer": {"learning_rate": rates}}
  inputs = [f"activation_{layer - 1}" for layer in layers(config)]
  kernels = [f"dense_{layer}/kernel" for layer in layers(config)]
  for kind in DRIFTS:
    config.probes[f"{kind}_drift"] = {
      "measure": f"{kind}_drift",
      "layers": inputs,
      "new_noise": True,
    }
  config.probes.update(
    unit={
      "measure": "histogram",
      "layers": [f"preactivation_{layers(config)[1]}"],
      "unit": 0,
      "bins": 40,
      "range": (-8.0, 8.0),
    },
    cosine={"measure": "gradient_cosine", "layers": kernels},
    change={"measure": "gradient_change", "layers": kernels},
    update={
      "measure": "norm",
      "of": "update",
      "layers": kernels,
      "relative": True,
    },
  )
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  coloured = config.dataset.name in COLOURED
  reached = 0.4 if coloured else 0.9
  claims = {}
  for place, (prefix, at, setting) in PLACES.items():
    steps = f"steps_to:train_accuracy{at}>={reached}"
    drift = f"median:wasserstein_drift/activation_{layers(config)[1] - 1}{at}"
    none, norm = f"{prefix}none", f"{prefix}batch_norm"
    own = {"setting": setting}
    others = [
      name
      for name in norms(coloured)
      if prefix + name in config.arms and prefix + name not in (none, norm)
    ]
    doses = [name for name in others if name.startswith("noisy_")]
    for layer in layers(config):
      where = {"setting": f"{setting}, layer {layer}"}
      for kind, what in DRIFTS.items():
        claims[f"{kind}_{layer}_{place}"] = less(
          f"Batch norm lessens the drift of {what} of a layer's inputs",
          norm,
          none,
          f"median:{kind}_drift/activation_{layer - 1}{at}",
          times=1.0,
          published="2015: it reduces internal covariate shift",
          **where,
        )
      claims[f"turns_{layer}_{place}"] = greater(
        "With batch norm a layer's gradient turns less",
        norm,
        none,
        f"mean:cosine/dense_{layer}/kernel{at}",
        published="2018: it turns as much or more",
        **where,
      )
    claims[f"helps_{place}"] = less(
      f"Batch norm takes fewer steps to {reached:.0%} in training",
      norm,
      none,
      steps,
      times=1.0,
      **own,
    )
    for arm in doses:
      noise = f"Noise of {DOSES[arm.removeprefix('noisy_')]:g}"
      claims[f"{arm}_drifts_{place}"] = greater(
        f"{noise}: inputs drift over three times as far as without a norm",
        prefix + arm,
        none,
        drift,
        times=3.0,
        **own,
      )
      claims[f"{arm}_helps_{place}"] = less(
        f"{noise}: fewer steps to {reached:.0%} than without a norm",
        prefix + arm,
        none,
        steps,
        times=1.0,
        published="2018: at .5 far better than no norm",
        **own,
      )
    for arm in others:
      what = arm.replace("_", " ")
      if arm in doses:
        what = f"noise of {DOSES[arm.removeprefix('noisy_')]:g}"
      claims[f"{arm}_steps_{place}"] = within(
        2.0,
        f"As many steps as with batch norm, to a factor of 2: {what}",
        prefix + arm,
        norm,
        steps,
        ratio=True,
        **own,
      )
      if arm not in doses:
        claims[f"{arm}_test_{place}"] = within(
          0.01,
          f"As accurate in the end as with batch norm, to a point: {what}",
          prefix + arm,
          norm,
          f"test_accuracy{at}",
          **own,
        )
  last = layers(config)[1]
  drift = f"wasserstein_drift/activation_{last - 1}"
  cosine = f"cosine/dense_{last}/kernel"
  at = f"@learning_rate={SHARED}"
  steps = f"steps_to:train_accuracy>={reached}@best"
  noise = tuple(f"noisy_{dose}" for dose in DOSES)
  noise = tuple(name for name in noise if name in config.arms)
  shown = ("none", "batch_norm", "noisy_half", "noisy_8", "frozen")
  shown = tuple(name for name in shown if name in config.arms)
  return Rules(
    claimed={
      "Ioffe and Szegedy 2015": (
        "wasserstein_*",
        "mean_*",
        "variance_*",
        "helps_*",
      ),
      "Santurkar et al. 2018": (
        "turns_*",
        "noisy_*_drifts_*",
        "noisy_*_helps_*",
        "l1_*",
      ),
    },
    title="Internal covariate shift on trial",
    notes=(
      "Drift: of the Wasserstein distance, and of the mean and variance, of a "
      "unit of the layer's input on 128 examples, by one update of all layers, "
      "with the next step's noise, in units of its deviation; the median unit, "
      "and the median over steps. A gradient turns: the cosine between it "
      "before and after the update of the layers before it (2018), the mean "
      "over steps. Best: each seed's best final validation accuracy.",
      *coloured
      * (
        "Before the claims of images in colour one seed was seen of none and "
        "batch norm at rates .1 and .3, and of noise of .5 at .1 and 1: their "
        "training accuracies, of which 40% was taken as what to reach.",
      ),
    ),
    claims=claims,
    figures={
      "trial": Curves(
        arms=shown,
        metrics=(f"train_accuracy{at}", f"{drift}{at}", f"{cosine}{at}"),
        titles=(
          f"training accuracy at rate {SHARED}",
          f"drift of the input of layer {last}, in its deviations",
          f"cosine of layer {last}'s gradient before and after",
        ),
        claims=("helps_rate", f"wasserstein_{last}_rate", f"turns_{last}_rate"),
      ),
      "unit": Histograms(
        probe="unit",
        arms=shown,
        at=f"learning_rate={SHARED}",
        steps=tuple(
          step
          for step in (0, 40, 80, 120, 160, 240, 320, 400, 600)
          if step <= config.steps
        ),
        seed=1,
        label="what enters one unit's activation",
        title=f"One unit of layer {last} over training, at rate {SHARED}",
      ),
      "dose": Field(
        x="norm.dose",
        metrics=(steps,),
        groups={"noise after batch norm": noise},
        label="dose of the noise",
      ),
      "response": Field(
        x="norm.dose",
        metrics=(f"median:{drift}@best",),
        groups={"noise after batch norm": noise},
        label="dose of the noise",
        log_y=True,
      ),
      "norms": Final(
        arms=tuple(name for name in norms(coloured) if name in config.arms),
        metrics=(steps, "test_accuracy@best"),
      ),
    },
  )
