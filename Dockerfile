# The server on a CPU, as a user without rights: docker build -t counterpoint . && docker compose up
# The tag is exact; pin its digest, too, where your registry shows it. torch is PyTorch's CPU build; for NVIDIA's cards
# take the far larger build of the usual index, with --build-arg PIP_EXTRA_INDEX_URL= (empty), or your own mirror's.
FROM python:3.11.14-slim-bookworm AS build
ARG PIP_EXTRA_INDEX_URL="https://download.pytorch.org/whl/cpu"
WORKDIR /source
COPY scripts/image/install.sh pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY src src
RUN sh install.sh /source /app

FROM python:3.11.14-slim-bookworm
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin counterpoint
COPY --from=build /app /app
# 0.0.0.0 is the container's own network; without COUNTERPOINT_API_KEYS the server refuses to start there.
ENV PATH=/app/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    HF_HUB_OFFLINE=1 \
    COUNTERPOINT_HOST=0.0.0.0 \
    COUNTERPOINT_PORT=8000
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"COUNTERPOINT_PORT\"]}/livez', timeout=4)"]
ENTRYPOINT ["counterpoint"]
CMD ["serve"]
