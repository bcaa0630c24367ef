"""The command line `spatial-etl`; see CONTEXT.md."""
