"""The admin listener: health, readiness, status and metrics, over aiohttp. Read-only.

`app` has the routes, `view` what one proxy shows, `hosts` which `host` headers are answered,
`runner` the aiohttp server with our own error answers.
"""
