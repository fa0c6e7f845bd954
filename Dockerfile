# The base is named once and by a full version. For an image that must be the same bit by bit, pass
# a digest: docker build --build-arg PYTHON=python:3.11.14-slim-bookworm@sha256:… . (a digest written here
# would keep security fixes out until somebody thinks of it).
ARG PYTHON=python:3.11.14-slim-bookworm

# --- build: every package by hash, into a folder that holds no pip ---
FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
RUN python -m venv --without-pip /opt/tsunagi \
    && pip --python /opt/tsunagi/bin/python install --require-hashes -r requirements.lock \
    && pip install --require-hashes -r requirements-build.lock
COPY LICENSE README.md pyproject.toml ./
COPY gateway gateway
COPY adapters adapters
COPY metrics metrics
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && pip --python /opt/tsunagi/bin/python install --no-index --no-deps /wheels/*.whl

# --- run: no compiler, no pip, no root ---
FROM ${PYTHON}
RUN groupadd --system --gid 10001 gateway \
    && useradd --system --uid 10001 --gid gateway --home-dir /var/lib/tsunagi --no-create-home gateway \
    && install --directory --owner gateway --group gateway --mode 0700 /var/lib/tsunagi
COPY --from=build /opt/tsunagi /opt/tsunagi
ENV PATH=/opt/tsunagi/bin:$PATH PYTHONUNBUFFERED=1

# config.toml is mounted here; relative paths in it, and so the database and the spool, lie here, too.
WORKDIR /var/lib/tsunagi
VOLUME /var/lib/tsunagi
USER 10001:10001

# 8080 webhooks, 8081 console and API, 9464 metrics and readiness: as far as config.toml says so.
EXPOSE 8080 8081 9464
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9464/readyz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["gateway"]
CMD ["serve"]
