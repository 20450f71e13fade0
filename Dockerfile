# Greenroom in a container: a Docker Space, or on a machine of one's own:
#   docker build -t greenroom .
#   docker run --gpus all -p 127.0.0.1:7860:7860 -v greenroom:/data greenroom
# Without --gpus all it trains on the processor. PyPI's torch brings CUDA's libraries along.
FROM python:3.12-slim

# torch.compile writes kernels that need a C compiler.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*

# Spaces run a container as user 1000. /data is theirs when a disk is mounted there, or a volume's.
RUN useradd --create-home --uid 1000 greenroom && install --directory --owner=1000 /data /app
WORKDIR /app

COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt

USER 1000
COPY --chown=1000 app.py LICENSE ./
COPY --chown=1000 data data
COPY --chown=1000 engine engine
COPY --chown=1000 ui ui

# Runs, uploaded files and downloaded models outlive the container where /data does.
ENV GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    HF_HOME=/data/huggingface \
    RUNS_DIR=/data/runs \
    PYTHONUNBUFFERED=1
EXPOSE 7860
CMD ["python", "app.py"]
