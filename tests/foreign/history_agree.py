#!/usr/bin/env python3
"""History through three doors, held against DuckDB, pyarrow and Polars over the folder itself.

    history_agree.py HOST:PORT DATA

The archive must hold all readings and nothing more must come. Asks the same questions of
 - Arrow Flight SQL, through the ADBC driver: counts and sums by sensor, a prepared statement with a
   parameter, the catalog, a wrong question, an answer that is not read to its end;
 - the History service, through grpcio and reflection: a sensor's readings, windows put together, the
   city as of a second;
and of the files, as they are and as Delta tables. Prints one JSON object; exits with 1 and says where when they differ.

Nothing here is taken from citytwin: only the folder layout, the column names and the API.
"""

import argparse
import datetime
import glob
import json
import math
import os

import adbc_driver_flightsql.dbapi
import deltalake
import duckdb
import grpc
import polars
import pyarrow.dataset

from reflected import Reflected

HISTORY = "citytwin.v1.History"
WINDOWS = 3


def paths(data, table):
    return sorted(glob.glob(os.path.join(data, "archive", table, "date=*", "*.parquet")))


class Folder:
    """The files, by DuckDB."""

    def __init__(self, data):
        self.db = duckdb.connect()
        self.db.execute("SET TimeZone = 'UTC'")
        for table in ("readings", "windows"):
            files = paths(data, table)
            self.db.execute(
                f"CREATE VIEW {table} AS SELECT * FROM read_parquet({files!r}, hive_partitioning = false)"
            )

    def rows(self, sql):
        return self.db.execute(sql).fetchall()


def same(what, one, other):
    if one != other:
        raise SystemExit(f"{what} differ:\n  {str(one)[:500]}\n  {str(other)[:500]}")


def close(what, one, other):
    keys = sorted(one)
    same(f"{what}: keys", keys, sorted(other))
    for key in keys:
        for a, b in zip(one[key], other[key], strict=True):
            if not math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9):
                raise SystemExit(f"{what} differ at {key}: {one[key]} {other[key]}")


def by_sensor(rows):
    return {row[0]: row[1:] for row in rows}


SUMS = "SELECT sensor, count(*), sum(value), min(value), max(value) FROM readings GROUP BY sensor"


def delta(data, folder):
    """The files as Delta tables, read by delta-rs and by Polars."""
    for table in ("readings", "windows"):
        path = os.path.join(data, "archive", table)
        known = deltalake.DeltaTable(path)
        expected = folder.rows(f"SELECT count(*), max(epoch) FROM {table}")[0]
        rows = known.to_pyarrow_table(columns=["epoch", "cell"])
        same(f"Delta rows of {table}", rows.num_rows, expected[0])
        same(f"the last epoch of {table}", max(rows["epoch"].to_pylist()), expected[1])
        if known.transaction_version("citytwin") < expected[1]:
            raise SystemExit(f"the transaction of {table} is behind its rows")
        same(f"columns of {table}", known.schema().fields[-1].name, "date")
    frame = polars.scan_delta(os.path.join(data, "archive", "readings"))
    frame = frame.filter(polars.col("lateness") == "on_time").group_by("sensor").agg(
        polars.len(), polars.col("value").sum(), polars.col("value").min().alias("a"),
        polars.col("value").max().alias("b"),
    )
    on_time = by_sensor(folder.rows(SUMS.replace("GROUP", "WHERE lateness = 'on_time' GROUP")))
    close("Delta by Polars and the files by DuckDB", by_sensor(frame.collect().rows()), on_time)


def flight(server, data, folder):
    """The ADBC driver's answers."""
    expected = by_sensor(folder.rows(SUMS))
    files = paths(data, "readings")
    table = pyarrow.dataset.dataset(files, format="parquet").to_table(["sensor", "value"])
    same("rows of pyarrow", table.num_rows, sum(row[0] for row in expected.values()))
    frame = polars.scan_parquet(files, hive_partitioning=False)
    frame = frame.group_by(polars.col("sensor").cast(polars.String)).agg(
        polars.len(), polars.col("value").sum(), polars.col("value").min().alias("a"),
        polars.col("value").max().alias("b"),
    )
    close("Polars and DuckDB", by_sensor(frame.collect().rows()), expected)
    with adbc_driver_flightsql.dbapi.connect(f"grpc://{server}", autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute(SUMS)
            close("Flight SQL and DuckDB", by_sensor(cursor.fetchall()), expected)
            sensor = sorted(expected)[0]
            cursor.execute("SELECT count(*) FROM readings WHERE sensor = $1", (sensor,))
            same("a prepared statement", cursor.fetchone()[0], expected[sensor][0])
            cursor.execute("SELECT * FROM readings LIMIT 0")
            columns = [column[0] for column in cursor.description]
            try:
                cursor.execute("SELECT nothing FROM nowhere")
                raise SystemExit("a wrong question was answered")
            except adbc_driver_flightsql.dbapi.Error as error:
                wrong = str(error)
        objects = connection.adbc_get_objects(depth="tables").read_all().to_pylist()
        tables = [
            table["table_name"]
            for catalog in objects
            for schema in catalog["catalog_db_schemas"]
            for table in schema["db_schema_tables"]
        ]
        # The driver holds what is sent against what was announced.
        for name in tables:
            with connection.cursor() as cursor:
                cursor.execute(f'SELECT * FROM "{name}" LIMIT 10')
                cursor.fetch_arrow_table()
        # Far more than is read: the query must end with the call.
        for _ in range(6):
            with connection.cursor() as cursor:
                cursor.execute("SELECT a.value FROM readings a, readings b")
                cursor.fetch_record_batch().read_next_batch()
    return {"columns": columns, "tables": sorted(tables), "wrong": wrong}


def stamp(ms):
    time = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def millis(text):
    return round(datetime.datetime.fromisoformat(text).timestamp() * 1000)


def service(server, folder):
    """The answers of the History service."""
    with grpc.insecure_channel(server) as channel:
        twin = Reflected(channel)
        sensors = [row[0] for row in folder.rows("SELECT DISTINCT sensor FROM readings ORDER BY 1")]
        readings = 0
        for sensor in sensors[:: max(1, len(sensors) // 10)]:
            expected = folder.rows(
                "SELECT quantity, value, epoch_ms(event_time), epoch, lateness FROM readings "
                f"WHERE sensor = '{sensor}'"
            )
            found = []
            for part in twin.stream(HISTORY, "ReadSensor", {"sensor": sensor}):
                for one in part.get("readings", []):
                    found.append(
                        (
                            one["quantity"].removeprefix("QUANTITY_").lower(),
                            one.get("value", 0.0),
                            millis(one["event_time"]),
                            int(one["epoch"]),
                            one["lateness"],
                        )
                    )
            same(f"readings of {sensor}", sorted(found), sorted(expected))
            readings += len(found)
        windows(twin, folder)
        return {"readings": readings, "sensors": at(twin, folder)}


def windows(twin, folder):
    """Windows put together, against the valid rows of the files."""
    [(stored_ms,)] = folder.rows("SELECT DISTINCT window_ms FROM windows")
    length_ms = stored_ms * WINDOWS
    # Only windows that were closed: those that run are in no file.
    [(end_ms,)] = folder.rows("SELECT epoch_ms(max(window_start)) FROM windows")
    end_ms = end_ms // length_ms * length_ms
    expected = folder.rows(
        f"""
        WITH valid AS (
            SELECT * FROM windows QUALIFY row_number() OVER
                (PARTITION BY sensor, quantity, window_start ORDER BY revision DESC) = 1)
        SELECT sensor || ' ' || quantity || ' ' || epoch_ms(window_start) // {length_ms} * {length_ms},
               sum(count)::DOUBLE, sum(sum), min(min), max(max)
        FROM valid WHERE epoch_ms(window_start) < {end_ms} GROUP BY ALL
        """
    )
    # (sensor and start are in one text so that GROUP BY ALL groups by it)
    request = {
        "window_s": length_ms // 1000,
        "range": {"end_time": stamp(end_ms)},
        "group": "WINDOW_GROUP_SENSOR",
    }
    found = {}
    for part in twin.stream(HISTORY, "ReadWindows", request):
        for one in part.get("windows", []):
            quantity = one["quantity"].removeprefix("QUANTITY_").lower()
            key = f"{one['key']} {quantity} {millis(one['start_time'])}"
            found[key] = (
                float(one["count"]),
                one.get("sum", 0.0),
                one.get("min", 0.0),
                one.get("max", 0.0),
            )
    close("windows", found, by_sensor(expected))


def at(twin, folder):
    """The city as of the middle of the run."""
    [(time_ms,)] = folder.rows(
        "SELECT (epoch_ms(min(event_time)) + epoch_ms(max(event_time))) // 2 FROM readings"
    )
    expected = folder.rows(
        f"""SELECT sensor || ' ' || quantity, arg_max(value, event_time),
                   epoch_ms(max(event_time))::DOUBLE
            FROM readings WHERE epoch_ms(event_time) <= {time_ms} GROUP BY sensor, quantity"""
    )
    request = {
        "area": {"everywhere": {}},
        "event_time": stamp(time_ms),
        "include_sensors": True,
    }
    answer = twin.call(HISTORY, "QueryAreaAt", request)
    found = {}
    for sensor in answer["state"]["sensors"]:
        for one in sensor.get("latest", []):
            quantity = one["quantity"].removeprefix("QUANTITY_").lower()
            key = f"{sensor['sensor']} {quantity}"
            found[key] = (one.get("value", 0.0), float(millis(one["event_time"])))
    close("the city as of a second", found, by_sensor(expected))
    return len(answer["state"]["sensors"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", metavar="HOST:PORT")
    parser.add_argument("data", metavar="DATA")
    arguments = parser.parse_args()
    folder = Folder(arguments.data)
    delta(arguments.data, folder)
    told = flight(arguments.server, arguments.data, folder)
    print(json.dumps({**told, **service(arguments.server, folder)}))


if __name__ == "__main__":
    main()
