"""Timing that holds on a noisy machine: candidates take turns."""

import importlib.metadata
import importlib.util
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax


def take_turns(
  candidates: Mapping[str, Callable[[], Any]], rounds: int
) -> dict[str, list[float]]:
  """Seconds of each candidate in each round, after one round of warm-up.

  In every round each candidate runs once, in a shuffled order, so that a drift
  of the machine's speed meets all of them alike, and so does what the one
  before leaves behind: PyTorch's threads go on spinning for a while.

  Args:
    candidates: functions without arguments; their result is waited for.
    rounds: how many times each is timed.
  """
  names = list(candidates)
  seconds: dict[str, list[float]] = {name: [] for name in names}
  for name in names:
    jax.block_until_ready(candidates[name]())
  order = random.Random(0)
  for _ in range(rounds):
    for name in order.sample(names, len(names)):
      start = time.perf_counter()
      jax.block_until_ready(candidates[name]())
      seconds[name].append(time.perf_counter() - start)
  return seconds


def median_ratio(a: list[float], b: list[float]) -> float:
  """Median over rounds of `a / b`."""
  return statistics.median(x / y for x, y in zip(a, b, strict=True))


def torch_device() -> str | None:
  """What PyTorch calls the kind of device that JAX uses; None without it."""
  if not importlib.util.find_spec("torch"):
    return None
  import torch

  if jax.default_backend() == "cpu":
    return "cpu"
  return "cuda" if torch.cuda.is_available() else None


def describe_machine(*packages: str) -> dict[str, Any]:
  """Processor, cores, devices and versions, to name beside any figure."""
  return {
    "processor": _processor(),
    "cpus": os.cpu_count(),
    "devices": [d.device_kind for d in jax.devices()],
    "python": platform.python_version(),
    **{p: importlib.metadata.version(p) for p in ("jax", "jaxlib", *packages)},
  }


def _processor() -> str:
  try:
    with open("/proc/cpuinfo") as file:
      lines = [line for line in file if line.startswith("model name")]
    return lines[0].split(":")[1].strip()
  except (OSError, IndexError):
    return platform.processor() or platform.machine()
