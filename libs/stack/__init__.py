"""The embedded stack: real servers on this machine, under one folder. See CONTEXT.md."""

from libs.stack.lifecycle import StackInfo, down, status, up
from libs.stack.paths import StackPaths
from libs.stack.statuses import ServiceStatus

__all__ = ["ServiceStatus", "StackInfo", "StackPaths", "down", "status", "up"]
