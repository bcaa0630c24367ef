"""Geodata in and out of files; which module does what is in CONTEXT.md. Imports nothing here."""
