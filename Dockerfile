# The build stage has pip and the build tools; the image that runs has neither.
FROM python:3.11.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv /build/tools \
    && /build/tools/bin/pip install --require-hashes --no-deps --only-binary :all: -r requirements/build.txt \
    && python -m venv --without-pip /opt/joinbridge \
    && /build/tools/bin/pip --python /opt/joinbridge/bin/python install --require-hashes --no-deps --only-binary :all: -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY src/ src/
RUN /build/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && /build/tools/bin/pip --python /opt/joinbridge/bin/python install --no-deps --no-index wheels/joinbridge-*.whl \
    && /opt/joinbridge/bin/joinbridge --help >/dev/null

FROM python:3.11.13-slim-bookworm
# The image's own pip is a build tool, too.
RUN pip uninstall --yes --root-user-action=ignore pip setuptools wheel \
    && groupadd --gid 10001 joinbridge \
    && useradd --uid 10001 --gid joinbridge --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin joinbridge \
    && install --directory --owner=joinbridge --group=joinbridge --mode=0700 /run/joinbridge
COPY --from=build /opt/joinbridge /opt/joinbridge
ENV PATH=/opt/joinbridge/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    JOINBRIDGE_CONFIG=/etc/joinbridge/joinbridge.toml \
    JOINBRIDGE_RUNTIME__READY_FILE=/run/joinbridge/ready
USER 10001:10001
WORKDIR /run/joinbridge
# The file is there while consumers are registered.
HEALTHCHECK --interval=5s --timeout=3s --start-period=130s --retries=3 CMD ["test", "-e", "/run/joinbridge/ready"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["joinbridge"]
CMD ["run"]
