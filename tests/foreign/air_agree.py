#!/usr/bin/env python3
"""Holds an archive against the recorded air of Ho Chi Minh City it was replayed from.

    air_agree.py DATA_FOLDER AIR_ZIP
    air_agree.py --unpack AIR_ZIP FOLDER

Every cell of the file is one of: a gap (empty), an instrument that was off (total dust of exactly
0), out of range and so refused, a repeat of an earlier row's, or in the archive exactly once with
the very value under its station, quantity and hour. Nothing else may be in the archive. Prints how
many of each as JSON; exits with 1 at the first that is none of them. With --unpack it writes the
data set's CSV to a folder and prints its path.
"""

import csv
import datetime
import io
import json
import os
import sys
import zipfile

import duckdb

LOCAL = datetime.timezone(datetime.timedelta(hours=7))
# Column: quantity, factor, least and most that is no nonsense.
COLUMNS = {
    "TSP": ("tsp_ug_m3", 1.0, 0, 10_000),
    "PM2.5": ("pm25_ug_m3", 1.0, 0, 2_000),
    "O3": ("o3_ug_m3", 1.0, 0, 2_000),
    "CO": ("co_ug_m3", 1.0, 0, 200_000),
    "NO2": ("no2_ug_m3", 1.0, 0, 5_000),
    "SO2": ("so2_ug_m3", 1.0, 0, 10_000),
    "Temperature": ("temperature_c", 1.0, -50, 80),
    "Humidity": ("humidity_ratio", 0.01, 0, 1),
}


def table(path):
    """Name and bytes of the CSV in the data set's archive."""
    with zipfile.ZipFile(path) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith(".csv")]
        return os.path.basename(name), packed.read(name)


def unpack(path, folder):
    name, content = table(path)
    target = os.path.join(folder, name)
    with open(target, "wb") as file:
        file.write(content)
    print(target)


def cells(path):
    """(sensor, quantity, event time in ms), text and what to do with it, for every cell."""
    text = io.StringIO(table(path)[1].decode("utf-8-sig"))
    for row in csv.DictReader(text):
        time = datetime.datetime.strptime(row["date"], "%d-%m-%Y %H:%M").replace(tzinfo=LOCAL)
        event_time_ms = int(time.timestamp() * 1000)
        for column, rule in COLUMNS.items():
            sensor = f"healthyair/station-{row['Station_No']}"
            yield (sensor, rule[0], event_time_ms), column, row[column].strip(), rule


def archived(folder):
    rows = duckdb.sql(
        "SELECT sensor, quantity, epoch_ms(event_time), value FROM "
        f"read_parquet('{folder}/archive/readings/**/*.parquet', hive_partitioning = false)"
    ).fetchall()
    readings = {tuple(row[:3]): row[3] for row in rows}
    assert len(readings) == len(rows), f"{len(rows) - len(readings)} readings are there twice"
    return readings


def main(folder, path):
    archive = archived(folder)
    counts = dict.fromkeys(["cells", "gap", "off", "out_of_range", "duplicate", "archived"], 0)
    seen = set()
    for identity, column, text, (_, factor, least, most) in cells(path):
        counts["cells"] += 1
        if text == "":
            counts["gap"] += 1
            continue
        if column == "TSP" and text == "0":
            counts["off"] += 1
            continue
        value = float(text) * factor
        if not least <= value <= most:
            counts["out_of_range"] += 1
        elif identity in seen:
            counts["duplicate"] += 1
        else:
            seen.add(identity)
            found = archive.pop(identity, None)
            assert found == value, f"{identity}: {text} in the file, {found} in the archive"
            counts["archived"] += 1
    assert not archive, f"not in the file: {list(archive.items())[:5]}"
    print(json.dumps(counts))


if __name__ == "__main__":
    if sys.argv[1] == "--unpack":
        unpack(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
