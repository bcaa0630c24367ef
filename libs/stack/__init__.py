"""The embedded stack: real servers on this machine, under one folder. See CONTEXT.md."""

from libs.stack.lifecycle import ServiceStatus, StackInfo, down, status, up
from libs.stack.paths import StackPaths

__all__ = ["ServiceStatus", "StackInfo", "StackPaths", "down", "status", "up"]
