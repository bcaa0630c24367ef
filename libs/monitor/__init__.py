"""The watcher: metrics for Prometheus and the platform's health, over HTTP. See CONTEXT.md."""
