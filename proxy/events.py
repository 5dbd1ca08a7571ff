"""Names of log events. A name is an interface: dashboards and alerts match on it."""

from typing import Final

REQUEST_FINISHED: Final = "request.finished"
REQUEST_CRASHED: Final = "request.crashed"
PIN_CHANGED: Final = "pin.changed"
PIN_REJECTED: Final = "pin.rejected"
VERSION_REGISTERED: Final = "version.registered"
STORE_LOST: Final = "store.lost"
STORE_FOUND: Final = "store.found"
STORE_REGRESSED: Final = "store.regressed"
SNAPSHOT_LOADED: Final = "snapshot.loaded"
SNAPSHOT_NOT_SAVED: Final = "snapshot.not_saved"
PROXY_STARTED: Final = "proxy.started"
PROXY_DRAINING: Final = "proxy.draining"
PROXY_STOPPED: Final = "proxy.stopped"
LOG_LINES_DROPPED: Final = "log.lines_dropped"
