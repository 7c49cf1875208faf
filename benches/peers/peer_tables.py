"""The tables that `cargo bench --bench traffic -- peer` leaves, and what is added to them."""

import csv
from pathlib import Path


def rows(folder, name):
    """Rows of a table as dictionaries."""
    with open(Path(folder) / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def trips(folder, closed):
    """Departure and links of every trip, as it is or with the link closed."""
    column = "links_closed" if closed else "links"
    return [(float(row["depart_s"]), row[column].split(";")) for row in rows(folder, "trips.csv")]


def closed_link(folder):
    """The link that is closed."""
    return (Path(folder) / "ours.txt").read_text(encoding="utf-8").split()[1]


def save(folder, program, base, closed, told):
    """Seconds of all vehicles by link, of both runs; and the lines that are told of them."""
    with open(Path(folder) / f"{program}.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["link", "base_s", "closed_s"])
        for row in rows(folder, "links.csv"):
            key = row["key"]
            table.writerow([key, base.get(key, 0.0), closed.get(key, 0.0)])
    (Path(folder) / f"{program}.txt").write_text("\n".join(told) + "\n", encoding="utf-8")
