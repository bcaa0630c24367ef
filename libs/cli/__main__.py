"""`python -m libs.cli`: the same program where its script is not installed."""

from libs.cli.main import main

main()
