# One image for CI, the devcontainer (target `tools`), Kubernetes (`adls`) and JupyterHub (`hub`):
#
#     docker build --target adls --tag adls .
#
# Nothing is fetched but the base image, Debian's packages and those of requirements.lock.

FROM python:3.11.14-slim-bookworm AS tools
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV DEBIAN_FRONTEND=noninteractive PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make openssl \
    && rm -rf /var/lib/apt/lists/*

# The list of system packages is lablib's. Only what reads it is copied, so that this layer lasts until it changes.
WORKDIR /opt/adls
COPY Makefile ./
COPY lablib/__init__.py lablib/doctor.py lablib/system_tools.py lablib/
COPY lablib/hls/__init__.py lablib/hls/engines.py lablib/hls/errors.py lablib/hls/
RUN make tools-test && rm -rf /var/lib/apt/lists/*

# The packages, until the lock changes.
RUN useradd --create-home --uid 1000 --shell /bin/bash adls && mkdir /adls && chown adls: /adls /opt/adls
USER 1000
COPY requirements.lock ./
RUN python -m venv .venv && .venv/bin/pip install --requirement requirements.lock
ENV PATH=/opt/adls/.venv/bin:$PATH

FROM tools AS adls
WORKDIR /adls
COPY --chown=adls . .
RUN ln -s /opt/adls/.venv .venv && make .venv/.ready
CMD ["make", "test"]

# JupyterHub starts everybody's server under their own account: its container runs as root, all servers do not.
FROM tools AS hub
# hadolint ignore=DL3002
USER 0
COPY . /srv/adls
RUN groupadd students \
    && useradd --create-home --key HOME_MODE=0700 --shell /bin/bash instructor \
    && make -C /srv/adls student \
    && tar -xzmf /srv/adls/build/adls-labs.tar.gz -C /srv --no-same-permissions \
    && ln -s /opt/adls/.venv /srv/adls-labs/.venv \
    && make -C /srv/adls-labs .venv/.ready \
    && ln -s /srv/adls-labs/.venv /srv/adls/.venv \
    && chown -R instructor: /srv/adls \
    && chmod 700 /srv/adls \
    && runuser --user instructor -- make -C /srv/adls labs
WORKDIR /srv/adls
EXPOSE 8000
CMD ["make", "hub", "ARGS=--JupyterHub.bind_url=http://:8000"]
