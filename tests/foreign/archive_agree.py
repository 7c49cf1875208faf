#!/usr/bin/env python3
"""Three foreign readers look at the archive of a data folder and must see the same.

    archive_agree.py DATA [--sensors]

DuckDB, pyarrow and Polars each count the readings, sum their values and count the distinct
identities (sensor, quantity, event time), in total and per sensor, and count the rows of the other
tables. Prints one JSON object with what they agree on (with --sensors: for each sensor
[readings, identities, sum]). Exits with 1 and says where when they differ, or when a reading is in
the archive twice.

Nothing here is taken from citytwin: only the folder layout and the column names.
"""

import argparse
import glob
import json
import math
import os
import sys

import duckdb
import polars
import pyarrow
import pyarrow.compute
import pyarrow.dataset

TABLES = {
    "readings": "archive/readings",
    "windows": "archive/windows",
    "cell_windows": "archive/cell_windows",
    "sensors": "archive/sensors",
    "dead_letters": "dead-letters",
}


def files(data, table):
    return sorted(glob.glob(os.path.join(data, TABLES[table], "**", "*.parquet"), recursive=True))


def with_duckdb(paths):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    rows = connection.execute(
        """
        SELECT sensor, count(*), count(DISTINCT (quantity, epoch_ms(event_time))), fsum(value),
               count(*) FILTER (lateness = 'on_time'), count(*) FILTER (lateness = 'revised'),
               count(*) FILTER (lateness = 'archived_only'),
               min(epoch), max(epoch), min(epoch_ms(event_time)), max(epoch_ms(event_time))
        FROM read_parquet(?, hive_partitioning = false) GROUP BY sensor
        """,
        [paths],
    ).fetchall()
    return {row[0]: row[1:] for row in rows}


def with_pyarrow(paths):
    table = pyarrow.dataset.dataset(paths, format="parquet").to_table()
    text = lambda name: table[name].cast(pyarrow.string())
    time = table["event_time"].cast(pyarrow.int64())
    flat = pyarrow.table(
        {
            "sensor": text("sensor"),
            "quantity": text("quantity"),
            "time": time,
            "value": table["value"],
            "epoch": table["epoch"],
            **{
                name: pyarrow.compute.equal(text("lateness"), name).cast(pyarrow.int64())
                for name in ("on_time", "revised", "archived_only")
            },
        }
    )
    identities = flat.group_by(["sensor", "quantity", "time"]).aggregate([])
    identities = identities.group_by("sensor").aggregate([([], "count_all")]).to_pydict()
    identities = dict(zip(identities["sensor"], identities["count_all"]))
    sums = flat.group_by("sensor").aggregate(
        [
            ([], "count_all"),
            ("value", "sum"),
            ("on_time", "sum"),
            ("revised", "sum"),
            ("archived_only", "sum"),
            ("epoch", "min"),
            ("epoch", "max"),
            ("time", "min"),
            ("time", "max"),
        ]
    )
    return {
        row["sensor"]: (
            row["count_all"],
            identities[row["sensor"]],
            row["value_sum"],
            row["on_time_sum"],
            row["revised_sum"],
            row["archived_only_sum"],
            row["epoch_min"],
            row["epoch_max"],
            row["time_min"],
            row["time_max"],
        )
        for row in sums.to_pylist()
    }


def with_polars(paths):
    late = lambda name: (polars.col("lateness") == name).sum().alias(name)
    time = polars.col("event_time").dt.epoch("ms")
    frame = (
        polars.scan_parquet(paths, hive_partitioning=False)
        .with_columns(polars.col("sensor", "quantity", "lateness").cast(polars.String))
        .group_by("sensor")
        .agg(
            polars.len().alias("readings"),
            polars.struct("quantity", time.alias("time")).n_unique().alias("identities"),
            polars.col("value").sum().alias("sum"),
            late("on_time"),
            late("revised"),
            late("archived_only"),
            polars.col("epoch").min().alias("first"),
            polars.col("epoch").max().alias("last"),
            time.min().alias("oldest"),
            time.max().alias("newest"),
        )
        .collect()
    )
    return {row[0]: row[1:] for row in frame.iter_rows()}


READERS = {"DuckDB": with_duckdb, "pyarrow": with_pyarrow, "Polars": with_polars}


def rows_by_reader(paths):
    found = duckdb.connect()
    return {
        "DuckDB": found.execute(
            "SELECT count(*) FROM read_parquet(?, hive_partitioning = false)", [paths]
        ).fetchone()[0],
        "pyarrow": pyarrow.dataset.dataset(paths, format="parquet").to_table().num_rows,
        "Polars": polars.read_parquet(paths, hive_partitioning=False).height,
    }


def same(one, other):
    """Counts exactly, sums but for the order of additions."""
    return all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) if isinstance(a, float) else a == b
        for a, b in zip(one, other, strict=True)
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="the data folder of citytwin")
    parser.add_argument("--sensors", action="store_true", help="print figures of each sensor")
    options = parser.parse_args()
    problems = []

    counts = {}
    for table in TABLES:
        paths = files(options.data, table)
        seen = rows_by_reader(paths) if paths else dict.fromkeys(READERS, 0)
        if len(set(seen.values())) != 1:
            problems.append(f"{table}: rows differ: {seen}")
        counts[table] = seen["DuckDB"]

    paths = files(options.data, "readings")
    seen = {name: reader(paths) if paths else {} for name, reader in READERS.items()}
    reference = seen["DuckDB"]
    for name, sensors in seen.items():
        if sensors.keys() != reference.keys():
            strange = sorted(sensors.keys() ^ reference.keys())[:5]
            problems.append(f"{name} and DuckDB see other sensors, such as {strange}")
        for sensor in sensors.keys() & reference.keys():
            if not same(reference[sensor], sensors[sensor]):
                problems.append(
                    f"{sensor}: DuckDB sees {reference[sensor]}, {name} sees {sensors[sensor]}"
                )
    for sensor, (readings, identities, *_) in reference.items():
        if readings != identities:
            problems.append(f"{sensor}: {readings} readings but {identities} identities")

    column = lambda place: [row[place] for row in reference.values()]
    answer = {
        "readings": sum(column(0)),
        "identities": sum(column(1)),
        "sum": math.fsum(column(2)),
        "sensors_seen": len(reference),
        "lateness": {
            "on_time": sum(column(3)),
            "revised": sum(column(4)),
            "archived_only": sum(column(5)),
        },
        "first_epoch": min(column(6), default=None),
        "last_epoch": max(column(7), default=None),
        "oldest_event_time_ms": min(column(8), default=None),
        "newest_event_time_ms": max(column(9), default=None),
        "rows": counts,
        "readers": {
            "duckdb": duckdb.__version__,
            "pyarrow": pyarrow.__version__,
            "polars": polars.__version__,
        },
        "agree": not problems,
        "problems": problems[:20],
    }
    if options.sensors:
        answer["sensors"] = {sensor: row[:3] for sensor, row in sorted(reference.items())}
    print(json.dumps(answer))
    for problem in problems[:20]:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
