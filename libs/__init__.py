"""The platform's library: everything that does the work, and nothing that schedules it."""
