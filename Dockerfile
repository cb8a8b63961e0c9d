# The image for web, worker and beat. Built in two steps, runs without root.
FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements/bootstrap.txt requirements/base.txt requirements/
# What installs stays in this step. Compiled here: in the image nothing can be written, and each start would compile anew.
RUN python -m venv /uv \
 && /uv/bin/pip install --no-cache-dir --require-hashes -r requirements/bootstrap.txt \
 && python -m venv --without-pip /venv \
 && /uv/bin/uv pip install --no-cache --compile-bytecode --python /venv/bin/python --require-hashes -r requirements/base.txt
COPY manage.py pyproject.toml ./
COPY tokdash tokdash
COPY issues issues
COPY templates templates
COPY static static
# Any secrets do: collecting static files uses none, and these stay in this step.
RUN SECRET_KEY=build TOKDASH_FIELD_KEYS=MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA= \
    /venv/bin/python manage.py collectstatic --no-input \
 && /venv/bin/python -m compileall -q issues tokdash manage.py

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Threads come and go in a worker. glibc keeps a heap for each of sixteen, and raises by itself to 32 MiB what it never gives
# back: memory would creep up to what each of them needed once.
ENV MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app
# Last: copying would take the folder away from him again.
RUN useradd --create-home --uid 10001 tokdash && mkdir -p var && chown tokdash var
USER 10001
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "4", "tokdash.wsgi:application"]
