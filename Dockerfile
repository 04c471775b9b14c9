# syntax=docker/dockerfile:1
# SPDX-License-Identifier: Apache-2.0
# One image for every part: `putright api`, `putright worker`, `putright migrate`. The first stage installs from the
# lock and builds the wheel, which carries the browser parts; the second holds the result and no tools.

FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/putright
WORKDIR /src
# Locked parts first: they change seldom, and their layer stays.
COPY requirements.lock ./
RUN /opt/putright/bin/pip install --require-hashes --requirement requirements.lock
COPY . .
RUN /opt/putright/bin/pip install --no-deps .

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin putright \
    && install --directory --mode 0700 --owner 10001 /var/lib/putright/post
COPY --from=build /opt/putright /opt/putright
ENV PATH=/opt/putright/bin:$PATH PYTHONUNBUFFERED=1 PUTRIGHT_HOST=0.0.0.0 PUTRIGHT_HOME=/tmp/putright
USER 10001
EXPOSE 8000
ENTRYPOINT ["putright"]
CMD ["--help"]
