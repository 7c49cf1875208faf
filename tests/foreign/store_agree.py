#!/usr/bin/env python3
"""The archive in a bucket, read by others than us, held against what History tells.

    store_agree.py ENDPOINT HOST:PORT

delta-rs, Polars (its own reader of Delta tables), pyarrow (over its own S3 client) and DuckDB (over
the dataset of delta-rs) read the tables in `s3://city/twin`. All must have the rows that Arrow Flight
SQL gives, each once. Prints one JSON object with their number by table; exits with 1 and says where
when they differ.

Nothing here is taken from citytwin: only the layout, the column names and the API.
"""

import argparse
import json

import adbc_driver_flightsql.dbapi
import deltalake
import duckdb
import polars
import pyarrow.dataset
import pyarrow.fs

PREFIX = "city/twin"
COLUMNS = {
    "readings": ["epoch", "sensor", "quantity", "event_time", "value", "lateness"],
    "refusals": ["epoch", "sensor", "quantity", "event_time", "reason"],
    "windows": ["epoch", "sensor", "quantity", "window_start", "revision", "count", "sum"],
    "sensors": ["epoch", "sensor", "kind"],
}
# What History calls the rows of a table as they were written.
SOURCES = {"windows": "window_revisions", "sensors": "sensor_changes"}


def rows(table):
    """Rows of an Arrow table as text, in order: types differ between readers, values must not."""
    columns = []
    for column in table.columns:
        if pyarrow.types.is_timestamp(column.type):
            column = column.cast(pyarrow.timestamp("ms")).cast(pyarrow.int64())
        elif not pyarrow.types.is_floating(column.type) and not pyarrow.types.is_integer(column.type):
            column = column.cast(pyarrow.string())
        columns.append(column.to_pylist())
    return sorted(zip(*columns, strict=True), key=str)


def same(what, found, expected):
    if found == expected:
        return
    more = [row for row in found if row not in set(expected)][:3]
    less = [row for row in expected if row not in set(found)][:3]
    raise SystemExit(f"{what}: {len(found)} rows, not {len(expected)}; only here {more}, only there {less}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("endpoint", metavar="ENDPOINT")
    parser.add_argument("server", metavar="HOST:PORT")
    arguments = parser.parse_args()
    options = {
        "AWS_ENDPOINT_URL": arguments.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    bucket = pyarrow.fs.S3FileSystem(
        access_key="test",
        secret_key="test",
        region="us-east-1",
        scheme="http",
        endpoint_override=arguments.endpoint.removeprefix("http://"),
    )
    told = {}
    with adbc_driver_flightsql.dbapi.connect(f"grpc://{arguments.server}", autocommit=True) as connection:
        for name, columns in COLUMNS.items():
            source = SOURCES.get(name, name)
            asked = ", ".join(f'"{column}"' for column in columns)
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {asked} FROM {source}")
                expected = rows(cursor.fetch_arrow_table())
            url = f"s3://{PREFIX}/archive/{name}"
            table = deltalake.DeltaTable(url, storage_options=options)
            same(f"{name} by delta-rs", rows(table.to_pyarrow_table(columns=columns)), expected)
            frame = polars.scan_delta(url, storage_options=options).select(columns).collect()
            same(f"{name} by Polars", rows(frame.to_arrow()), expected)
            paths = [f"{PREFIX}/archive/{name}/{add}" for add in table.get_add_actions()["path"].to_pylist()]
            files = pyarrow.dataset.dataset(paths, format="parquet", filesystem=bucket)
            same(f"{name} by pyarrow", rows(files.to_table(columns)), expected)
            dataset = table.to_pyarrow_dataset()
            [(count, last)] = duckdb.sql("SELECT count(*), max(epoch) FROM dataset").fetchall()
            if count != len(expected):
                raise SystemExit(f"{name} by DuckDB: {count} rows, not {len(expected)}")
            if expected and table.transaction_version("citytwin") < last:
                raise SystemExit(f"the transaction of {name} is behind its rows")
            told[name] = len(expected)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
