"""Settings that suit a task, found by trying: `python -m shared.tune` (docs/tuning.md)."""
