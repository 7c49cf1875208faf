#!/usr/bin/env python3
"""DuckDB over the folder of an archive: the baseline of `cargo bench --bench engine -- history`.

    duckdb_history.py DATA THREADS < questions.json

Reads a JSON object of name and SQL over `readings`; asks each nine times, leaves out the first two,
and prints a JSON object of name and [median seconds, rows].
"""

import json
import statistics
import sys
import time

import duckdb

data, threads = sys.argv[1], int(sys.argv[2])
db = duckdb.connect(config={"threads": threads})
db.execute("SET TimeZone = 'UTC'")
db.execute(
    f"CREATE VIEW readings AS SELECT * FROM "
    f"read_parquet('{data}/archive/readings/date=*/*.parquet', hive_partitioning = false)"
)
found = {}
for name, sql in json.load(sys.stdin).items():
    seconds = []
    for _ in range(9):
        began = time.perf_counter()
        rows = db.sql(sql).to_arrow_table().num_rows
        seconds.append(time.perf_counter() - began)
    found[name] = [statistics.median(seconds[2:]), rows]
print(json.dumps(found))
