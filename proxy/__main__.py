"""`python -m proxy`: the same as `proxyctl serve`."""

import sys

from proxy.cli.main import program

if __name__ == "__main__":
    program.main(["serve", *sys.argv[1:]], prog_name="python -m proxy")
