"""Start the gateway that the tensorzero package carries.   tensorzero_serve.py CONFIG PORT_FILE

It runs in this process, on a port that it picks, the way tensorzero.patch_openai_client does.
"""

import sys
import threading
import urllib.parse
from pathlib import Path

import tensorzero

gateway = tensorzero._start_http_gateway(
    config_file=sys.argv[1],
    clickhouse_url=None,
    postgres_url=None,
    valkey_url=None,
    async_setup=False,
)
Path(sys.argv[2]).write_text(str(urllib.parse.urlparse(gateway.base_url).port))
threading.Event().wait()
