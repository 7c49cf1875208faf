"""Holds an archive against the recorded week of loop detectors it was replayed from.

    week_agree.py DATA_FOLDER SPEED_CSV

Every value of the file (miles per hour, times 1.609344) must be in the archive exactly once, under
its sensor and its event time, and nothing else. Prints JSON.
"""

import csv
import datetime
import json
import sys

import duckdb

KMH_PER_MPH = 1.609344
START = datetime.datetime(2012, 3, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=-8)))
STEP_MS = 5 * 60 * 1000


def expected(path):
    start_ms = int(START.timestamp() * 1000)
    with open(path, newline="") as file:
        rows = csv.reader(file)
        sensors = next(rows)
        for step, row in enumerate(rows):
            for sensor, value in zip(sensors, row, strict=True):
                yield (sensor, start_ms + step * STEP_MS), float(value) * KMH_PER_MPH


def main(folder, path):
    connection = duckdb.connect()
    found = connection.execute(
        "select split_part(sensor, '/', 2), epoch_ms(event_time), value, quantity "
        f"from read_parquet('{folder}/archive/readings/**/*.parquet', hive_partitioning = false)"
    ).fetchall()
    archive = {}
    for sensor, event_time_ms, value, quantity in found:
        assert quantity == "speed_kmh", quantity
        assert (sensor, event_time_ms) not in archive, f"twice: {sensor} at {event_time_ms}"
        archive[sensor, event_time_ms] = value
    readings = 0
    for identity, value in expected(path):
        assert archive.pop(identity) == value, f"another value: {identity}"
        readings += 1
    assert not archive, f"not in the file: {list(archive.items())[:5]}"
    print(json.dumps({"readings": readings, "agree": True}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
