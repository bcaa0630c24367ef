"""The Dagster code location: it wires `libs` into jobs, sensors and schedules, and does no work."""
