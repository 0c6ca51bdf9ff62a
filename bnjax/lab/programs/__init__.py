"""The programs: `bnjax-train`, `bnjax-sweep`, `bnjax-report`."""
