"""The programs: `bnjax-train`, `bnjax-sweep` and two more."""
