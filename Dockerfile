# Two stages: the first has pip and the build tools, the second only what runs.
FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# Before the sources, so that a changed line of code does not fetch everything again.
COPY requirements.lock requirements-build.lock ./
RUN pip wheel --only-binary :all: --require-hashes --wheel-dir /wheels -r requirements.lock \
 && pip install --only-binary :all: --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY proxy proxy
# Byte code is compiled here: the second stage may run on a read-only root.
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
 && python -m venv --without-pip /opt/proxy \
 && pip --python /opt/proxy install --no-index --no-deps --compile /wheels/*.whl

FROM python:3.13-slim
LABEL org.opencontainers.image.title="llm-version-proxy" \
      org.opencontainers.image.licenses="Apache-2.0"
# A user with a name: proxyctl writes into the history who did something.
RUN groupadd --gid 10001 proxy \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/proxy --shell /usr/sbin/nologin proxy \
 && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/proxy
COPY --from=build /opt/proxy /opt/proxy
ENV PATH=/opt/proxy/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PROXY_CONFIG=/etc/proxy/proxy.toml
USER 10001:10001
# The store and last known good lie under the current directory; nothing else is written.
WORKDIR /var/lib/proxy
VOLUME ["/var/lib/proxy"]
EXPOSE 8080
STOPSIGNAL SIGTERM
# No curl in the image, and no proxy from the environment in between: /readyz is on loopback.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["python", "-c", \
    "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://' + os.environ.get('PROXY_ADMIN_LISTEN', '127.0.0.1:8081') + '/readyz', timeout=2)"]
ENTRYPOINT ["proxyctl"]
CMD ["serve"]
