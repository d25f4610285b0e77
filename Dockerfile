# Gateway, launcher and the operator's commands in one image; `docker run slipgate --help` lists them.
# A tag can be moved, a digest cannot: it is that of the tag.
FROM python:3.13.15-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285 AS build

COPY gateway/deploy/requirements.lock /src/requirements.lock
RUN python -m venv /opt/slipgate \
    && /opt/slipgate/bin/pip install --no-cache-dir --no-deps --require-hashes --requirement /src/requirements.lock

# The wheel holds all that the programs read: migrations, pages, the snapshot's sources.
COPY pyproject.toml README.md LICENSE /src/
COPY gateway /src/gateway
COPY launcher /src/launcher
COPY migrations /src/migrations
COPY snapshot /src/snapshot
RUN /opt/slipgate/bin/pip install --no-cache-dir --no-deps --no-build-isolation /src \
    && /opt/slipgate/bin/pip uninstall --yes setuptools pip \
    && /opt/slipgate/bin/python -m compileall -q /opt/slipgate

FROM python:3.13.15-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285

COPY --from=build /opt/slipgate /opt/slipgate
RUN useradd --create-home --uid 10001 slipgate && install --directory --owner=slipgate --mode=0700 /data

# In a container the loopback address is nobody's; only what is published can be reached from outside.
ENV PATH=/opt/slipgate/bin:$PATH PYTHONDONTWRITEBYTECODE=1 SLIPGATE_HOST=0.0.0.0 SLIPGATE_LOG=json \
    SLIPGATE_DATABASE_URL=sqlite:////data/slipgate.db
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8700

# Of the gateway: a launcher serves nothing, and its service switches this off.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('SLIPGATE_PORT', 8700)}/healthz\", timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["slipgate"]
CMD ["gateway"]
