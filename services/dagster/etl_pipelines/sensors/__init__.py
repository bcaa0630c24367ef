"""What makes runs start, and what watches how they end."""
