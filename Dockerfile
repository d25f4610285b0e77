# Gateway, launcher and the operator's commands in one image; `docker run slipgate --help` lists them.
# `make image` builds it. A tag can be moved, a digest cannot: it is that of the tag, for every architecture.
# The same image at a mirror is named by `--build-arg BASE=…`.
ARG BASE=python:3.13.15-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285

FROM ${BASE} AS build
COPY gateway/deploy/requirements.lock /src/requirements.lock
# Compiled below, once and for all: a compiled file that held a time would differ in each build.
RUN python -m venv /opt/slipgate \
    && /opt/slipgate/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes --only-binary=:all: \
    --requirement /src/requirements.lock

# The wheel holds all that the programs read: migrations, pages, the snapshot's sources.
COPY pyproject.toml README.md LICENSE /src/
COPY gateway /src/gateway
COPY launcher /src/launcher
COPY migrations /src/migrations
COPY snapshot /src/snapshot
RUN /opt/slipgate/bin/pip install --no-cache-dir --no-compile --no-deps --no-build-isolation /src \
    && /opt/slipgate/bin/pip uninstall --yes setuptools pip \
    && /opt/slipgate/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/slipgate

FROM ${BASE}
# Lines, and not useradd, which writes down the day. A new volume takes its owner from the folder here.
RUN echo "slipgate:x:10001:10001::/data:/usr/sbin/nologin" >> /etc/passwd \
    && echo "slipgate:x:10001:" >> /etc/group \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data /keys
COPY --from=build /opt/slipgate /opt/slipgate

# In a container the loopback address is nobody's; only what is published can be reached from outside.
ENV PATH=/opt/slipgate/bin:$PATH HOME=/data PYTHONDONTWRITEBYTECODE=1 SLIPGATE_HOST=0.0.0.0 SLIPGATE_LOG=json \
    SLIPGATE_DATABASE_URL=sqlite:////data/slipgate.db
# 0 where a platform mounts volumes that belong to root and knows no owner: Fly, Render.
ARG RUN_AS=10001:10001
USER ${RUN_AS}
WORKDIR /data
VOLUME /data
EXPOSE 8700

# Of the gateway: a launcher serves nothing, and its service switches this off.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import http.client, os; port = os.environ.get('SLIPGATE_PORT') or os.environ.get('PORT') or 8700; server = http.client.HTTPConnection('localhost', int(port), timeout=2); server.request('GET', '/healthz'); raise SystemExit(server.getresponse().status != 200)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["slipgate"]
CMD ["gateway"]
