"""Seconds of collectives on accelerators, by the alpha-beta model.

A message of n bytes takes alpha + n / bandwidth; p devices. All devices send
at once, and nothing of it is hidden behind computation:

    ring all-reduce      2 (p - 1) alpha + 2 n (p - 1) / p / bandwidth
    tree all-reduce      2 ceil(log2 p) (alpha + n / bandwidth)
    ring all-gather      (p - 1) alpha + (p - 1) n / bandwidth
    doubling all-gather  ceil(log2 p) alpha + (p - 1) n / bandwidth

where n is what each device puts in. The faster of two is taken, as libraries
do. Reference: Thakur, Rabenseifner and Gropp (2005), "Optimization of
Collective Communication Operations in MPICH".
"""

import math
from typing import Any, NamedTuple


class Link(NamedTuple):
  """How devices are joined.

  Attributes:
    name: what it stands for.
    alpha: seconds that a message takes, however short.
    bandwidth: bytes a second, of a device, in one direction.
  """

  name: str
  alpha: float
  bandwidth: float


_LINKS = (
  Link("2 µs, 300 GB/s", 2e-6, 300e9),
  Link("10 µs, 25 GB/s", 10e-6, 25e9),
)
PARTS = (8, 64, 512, 4096)
_FLOAT = 4  # bytes


class Network(NamedTuple):
  """A network's normalized layers and the features of each."""

  name: str
  features: tuple[int, ...]


# He et al. (2016), Table 1: the widths of ResNet-50's normalized layers.
RESNET_50 = Network(
  "ResNet-50",
  (
    64,
    *(3 * (64, 64, 256) + (256,)),
    *(4 * (128, 128, 512) + (512,)),
    *(6 * (256, 256, 1024) + (1024,)),
    *(3 * (512, 512, 2048) + (2048,)),
  ),
)


def all_reduce(size: float, parts: int, link: Link) -> float:
  """Seconds of an all-reduce of `size` bytes.

  >>> all_reduce(0, 8, Link("", 1.0, 1.0))  # a tree, up and down
  6.0
  """
  each = size / link.bandwidth
  ring = 2 * (parts - 1) * (link.alpha + each / parts)
  tree = 2 * math.ceil(math.log2(parts)) * (link.alpha + each)
  return min(ring, tree)


def all_gather(size: float, parts: int, link: Link) -> float:
  """Seconds of an all-gather to which each device gives `size` bytes.

  >>> all_gather(2, 8, Link("", 1.0, 1.0))
  17.0
  """
  hops = math.ceil(math.log2(parts))
  return hops * link.alpha + (parts - 1) * size / link.bandwidth


def by_hand(features: int, parts: int, link: Link) -> float:
  """A layer of `bnjax.ops` with an axis name: gather, and one sum back."""
  forward = all_gather((3 * features + 1) * _FLOAT, parts, link)
  return forward + all_reduce(2 * features * _FLOAT, parts, link)


def by_xla(features: int, parts: int, link: Link) -> float:
  """A layer as XLA partitions it: two sums forward, one back."""
  sums = (features, 2 * features, 2 * features)
  return sum(all_reduce(n * _FLOAT, parts, link) for n in sums)


def predict(networks: tuple[Network, ...]) -> list[dict[str, Any]]:
  """Milliseconds a step of the statistics of every layer."""
  rows = []
  for network in networks:
    for link in _LINKS:
      for name, cost in (("shard_map", by_hand), ("GSPMD", by_xla)):
        row: dict[str, Any] = {
          "network": network.name,
          "link": link.name,
          "way": name,
        }
        for parts in PARTS:
          seconds = sum(cost(n, parts, link) for n in network.features)
          row[f"{parts:,}"] = 1e3 * seconds
        rows.append(row)
  return rows
