# The playground, or the dashboard of stored runs, in a container.
#
#     docker build -t playground .
#     docker run -p 7860:7860 -v runs:/app/checkpoints/runs playground
#     docker run -p 7861:7860 -v runs:/app/checkpoints/runs -e FRONT=dashboard playground
#
# Both serve strangers: with limits, runs that only their owners can change, and a dashboard that changes nothing.
# On a machine of your own -e TP_PUBLIC=0 takes all of that away. -e PORT=8000 serves at another port.

FROM python:3.12-slim

ARG FRONT=playground
ENV FRONT=$FRONT \
    PORT=7860 \
    GRADIO_SERVER_NAME=0.0.0.0 \
    TP_PUBLIC=1 \
    PYTHONUNBUFFERED=1

RUN useradd --create-home --uid 1000 learner
WORKDIR /app

# Exact versions, checked by their hashes (`make lock`), then PyTorch without several gigabytes for GPUs: an exact
# version too, with no hash of ours, as `make lock` does not ask PyTorch's own index. A GPU needs the usual build,
# without the second line.
COPY requirements.txt pre-requirements.txt ./
RUN pip install --no-cache-dir --require-hashes -r pre-requirements.txt \
    && pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch==2.13.0 \
    && pip install --no-cache-dir -r requirements.txt

COPY LICENSE README.md ./
COPY .streamlit/ .streamlit/
COPY assets/ assets/
COPY engine/ engine/
COPY notebooks/ notebooks/
COPY playground/ playground/
COPY --chown=learner checkpoints/ checkpoints/
RUN mkdir -p -m 700 checkpoints/runs && chown learner checkpoints/runs

USER learner
EXPOSE 7860
CMD if [ "$FRONT" = dashboard ]; then \
        exec python -m streamlit run playground/dashboard.py \
            --server.address=0.0.0.0 --server.port="$PORT" --server.headless=true; \
    else \
        export GRADIO_SERVER_PORT="$PORT"; exec python playground/app.py; \
    fi
