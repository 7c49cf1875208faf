#!/usr/bin/env python3
"""DuckDB computes every closed window again from the archived readings.

    windows_agree.py DATA

A window of a sensor (or of an H3 cell) and a quantity is what SQL says of the readings in it that
were not too late for it (lateness <> 'archived_only'). It is compared with the highest revision
that was published: count, min, max and last exactly, sum within 1e-9. Cell windows are compared at
all their resolutions; a cell's parent is worked out from the bits of its index as the H3
specification draws them. Since one watermark closes all windows, every window that begins no later
than the newest published one must be there.

Prints one JSON object; exits with 1 when anything differs.
"""

import argparse
import glob
import json
import os
import sys

import duckdb

# Where the parts of an H3 index are: resolution in bits 52 to 55, digit of resolution r at bit
# (15 - r) * 3, three bits each, all ones when not used.
RESOLUTION_BITS = 0xF << 52
BASE = 9


def parent(resolution):
    """SQL for the parent of a cell of resolution 9."""
    unused = sum(7 << ((15 - r) * 3) for r in range(resolution + 1, BASE + 1))
    keep = ((1 << 64) - 1) & ~RESOLUTION_BITS
    return (
        f"((cell & {keep}::UBIGINT) | {(resolution << 52) | unused}::UBIGINT)"
        if resolution < BASE
        else "cell"
    )


def files(data, table):
    pattern = os.path.join(data, "archive", table, "**", "*.parquet")
    return sorted(glob.glob(pattern, recursive=True))


def load(connection, data):
    """Views of the three tables; times as milliseconds."""
    for table, columns in {
        "readings": "* REPLACE (epoch_ms(event_time) AS event_time)",
        "windows": "* REPLACE (epoch_ms(window_start) AS window_start, "
        "epoch_ms(last_time) AS last_time)",
        "cell_windows": "* REPLACE (epoch_ms(window_start) AS window_start)",
    }.items():
        paths = files(data, table)
        if not paths:
            return table
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        connection.execute(
            f"CREATE TABLE {table} AS SELECT {columns} "
            f"FROM read_parquet([{listed}], hive_partitioning = false)"
        )
    return None


def newest(table, key):
    """SQL for the highest revision of every window."""
    return (
        f"SELECT * FROM {table} QUALIFY row_number() OVER "
        f"(PARTITION BY {key}, quantity, window_start ORDER BY revision DESC) = 1"
    )


def recomputed(window_ms, key, extra=""):
    # Floor, also before 1970.
    start = f"event_time - ((event_time % {window_ms}) + {window_ms}) % {window_ms}"
    return f"""
        SELECT {key}, quantity, {start} AS window_start, count(*) AS count, fsum(value) AS sum,
               min(value) AS min, max(value) AS max, arg_max(value, event_time) AS last,
               max(event_time) AS last_time{extra}
        FROM readings WHERE lateness <> 'archived_only' GROUP BY ALL
    """


SUM_DIFFERS = "abs(p.sum - r.sum) > 1e-9 * greatest(abs(p.sum), abs(r.sum), 1.0)"


def compare(connection, published, recomputed, key, also):
    """Counts windows that agree; lists those that do not."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE p AS {published}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE r AS {recomputed}")
    on = f"p.{key} = r.{key} AND p.quantity = r.quantity AND p.window_start = r.window_start"
    differs = f"p.count <> r.count OR p.min <> r.min OR p.max <> r.max OR {SUM_DIFFERS} OR {also}"
    windows = connection.execute("SELECT count(*) FROM p").fetchone()[0]
    problems = []
    for what, query in {
        "differs": f"SELECT p AS published, r AS recomputed FROM p JOIN r ON {on} WHERE {differs}",
        "was published without readings": f"SELECT p.* FROM p ANTI JOIN r ON {on}",
        "was never published": f"SELECT r.* FROM r ANTI JOIN p ON {on} "
        "WHERE r.window_start <= (SELECT max(window_start) FROM p)",
    }.items():
        connection.execute(query)
        names = [column[0] for column in connection.description]
        found = connection.fetchall()
        problems += [f"window {what}: {dict(zip(names, row))}" for row in found[:3]]
        if len(found) > 3:
            problems.append(f"… {len(found)} windows in all: {what}")
    return windows, problems


def repeated_revisions(connection, table, key):
    """A revision is published once, and revisions count from 0 without gaps."""
    return connection.execute(
        f"""
        SELECT {key}, quantity, window_start, list(revision ORDER BY revision) AS revisions
        FROM {table} GROUP BY ALL
        HAVING count(*) <> max(revision) + 1 OR count(*) <> count(DISTINCT revision) LIMIT 3
        """
    ).fetchall()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="the data folder of citytwin")
    options = parser.parse_args()
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    missing = load(connection, options.data)
    if missing:
        print(f"no files of {missing} in {options.data}", file=sys.stderr)
        return 1
    lengths = connection.execute(
        "SELECT DISTINCT window_ms FROM windows UNION SELECT DISTINCT window_ms FROM cell_windows"
    ).fetchall()
    if len(lengths) != 1:
        print(f"windows of several lengths: {lengths}", file=sys.stderr)
        return 1
    window_ms = lengths[0][0]

    problems = []
    windows, found = compare(
        connection,
        newest("windows", "sensor"),
        recomputed(window_ms, "sensor"),
        "sensor",
        "p.last <> r.last OR p.last_time <> r.last_time",
    )
    problems += found
    cell_windows = {}
    for resolution in range(BASE, 4, -1):
        published = newest(
            f"(SELECT * FROM cell_windows WHERE resolution = {resolution})", "cell"
        )
        by_cell = recomputed(
            window_ms,
            f"{parent(resolution)} AS cell",
            ", count(DISTINCT sensor) AS sensors, count(DISTINCT (sensor, cell)) AS stands",
        )
        cell_windows[resolution], found = compare(
            connection,
            published,
            by_cell,
            "cell",
            # A sensor that moved within the window may count in each cell where it stood.
            "p.sensors < r.sensors OR p.sensors > r.stands OR p.last < p.min OR p.last > p.max",
        )
        problems += [f"resolution {resolution}: {problem}" for problem in found]
    for table, key in {"windows": "sensor", "cell_windows": "cell"}.items():
        for row in repeated_revisions(connection, table, key):
            problems.append(f"{table}: revisions of {row[:3]} are {row[3]}")
    # The sketch promises 1 %; never outside the readings, never out of order.
    disorder = connection.execute(
        """
        SELECT count(*) FROM cell_windows
        WHERE NOT (p15 <= p50 AND p50 <= p85 AND p85 <= p95)
           OR p15 < min - 0.011 * abs(min) - 1e-6 OR p95 > max + 0.011 * abs(max) + 1e-6
        """
    ).fetchone()[0]
    if disorder:
        problems.append(f"quantiles of {disorder} cell windows are out of order or range")

    revised = connection.execute("SELECT count(*) FROM windows WHERE revision > 0").fetchone()[0]
    answer = {
        "window_ms": window_ms,
        "windows": windows,
        "cell_windows": cell_windows,
        "revisions": revised,
        "agree": not problems,
        "problems": problems[:20],
    }
    print(json.dumps(answer, default=str))
    for problem in problems[:20]:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
