"""A worker; started by its supervisor only, see `worker.py`."""

from proxy.workers.worker import main

if __name__ == "__main__":
    main()
