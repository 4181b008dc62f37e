#!/bin/sh
# Create Temporal's two databases and bring them to the schema of this image. Safe to repeat.
set -eu

schemas=/etc/temporal/schema/postgresql/v12

prepare() {
    database=$1 versions=$2
    set -- --plugin postgres12 --endpoint "$POSTGRES_SEEDS" --port "$DB_PORT" --user "$POSTGRES_USER" --database "$database"
    temporal-sql-tool "$@" create
    temporal-sql-tool "$@" setup-schema --version 0.0
    temporal-sql-tool "$@" update-schema --schema-dir "$schemas/$versions/versioned"
}

# The password comes from SQL_PASSWORD.
prepare temporal temporal
prepare temporal_visibility visibility
