"""Runs on several machines: Dagster's queue, Celery behind it, workers that take whole runs."""
