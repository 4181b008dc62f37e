FROM python:3.11-slim AS build
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home serienmail
WORKDIR /app
COPY constraints.txt worker.py ./
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir -c constraints.txt /wheels/*.whl
RUN install --directory --owner=serienmail /spool
ENV SERIENMAIL_SPOOL=/spool
USER serienmail
EXPOSE 8080
# Exec form: the process itself gets SIGTERM, and finishes the mails in hand.
CMD ["python", "-m", "web", "--host", "0.0.0.0", "--port", "8080"]
