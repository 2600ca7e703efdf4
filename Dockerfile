# The image of the service: the base install and the shipped checkpoints; no torch, no compiler.
FROM python:3.11-slim-bookworm AS build
RUN ["python", "-m", "venv", "/opt/nextchar"]
WORKDIR /src
COPY pyproject.toml setup.py requirements.lock README.md LICENSE NOTICE ./
COPY model model
COPY training training
COPY service service
COPY nextchar nextchar
RUN ["/opt/nextchar/bin/pip", "install", "--no-cache-dir", "--constraint", "requirements.lock", "."]

FROM python:3.11-slim-bookworm
RUN ["useradd", "--uid", "10001", "--no-create-home", "--shell", "/usr/sbin/nologin", "nextchar"]
COPY --from=build /opt/nextchar /opt/nextchar
COPY checkpoints /checkpoints
COPY LICENSE NOTICE /licences/
# A container's own loopback cannot be published, so here the service listens on all its addresses.
ENV PATH=/opt/nextchar/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NEXTCHAR_HOST=0.0.0.0 \
    NEXTCHAR_PORT=8000 \
    NEXTCHAR_CHECKPOINT=/checkpoints/python,/checkpoints/prose
WORKDIR /checkpoints
USER 10001:10001
EXPOSE 8000
# Liveness, not readiness: a service whose Redis is away still answers, and is not to be restarted.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"NEXTCHAR_PORT\"]}/livez', timeout=4)"]
CMD ["nextchar", "serve"]
