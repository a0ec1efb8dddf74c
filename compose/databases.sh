#!/bin/sh
# Makes the two databases, each with an owner of its own, when PostgreSQL starts for the first time.
set -eu

for name in joinbridge smi; do
    psql --set ON_ERROR_STOP=1 --set name="$name" --set password="$(cat "/run/secrets/$name-database-password")" \
        --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
