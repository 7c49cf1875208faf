"""SUMO, mesoscopic with junction control, on the tables of `peer`.

    sumo.py FOLDER [--no-signals]

Junctions with a signal get netconvert's own programmes, for want of real ones; with --no-signals
they are junctions with priorities. A link is an edge of the same length, speed and lanes; vehicles
have SUMO's default length and behaviour.
"""

import resource
import subprocess
import sys
import time
import xml.etree.ElementTree as tree
from pathlib import Path

import peer_tables as tables

CLASSES = ["living_street", "residential", "unclassified", "tertiary", "secondary", "primary", "trunk", "motorway"]


def write(path, name, items):
    """A flat XML file."""
    root = tree.Element(name)
    for kind, attributes in items:
        tree.SubElement(root, kind, {key: str(value) for key, value in attributes.items()})
    tree.ElementTree(root).write(path, encoding="utf-8")


def convert(folder, work, signals):
    """Our tables as plain XML, and netconvert's network of them. Gives edge names by link."""
    nodes, links = tables.rows(folder, "nodes.csv"), tables.rows(folder, "links.csv")
    node = {row["key"]: f"n{number}" for number, row in enumerate(nodes)}
    edge = {row["key"]: f"e{number}" for number, row in enumerate(links)}
    control = lambda row: "traffic_light" if signals and row["signal"] == "true" else "priority"
    write(work / "nod.xml", "nodes", (
        ("node", {"id": node[row["key"]], "x": row["x_m"], "y": row["y_m"], "type": control(row)})
        for row in nodes))
    rank = lambda row: CLASSES.index(row["class"].removesuffix("_link")) if row["class"].removesuffix("_link") in CLASSES else 0
    write(work / "edg.xml", "edges", (
        ("edge", {"id": edge[row["key"]], "from": node[row["from"]], "to": node[row["to"]],
                  "numLanes": max(1, round(float(row["lanes"]))), "speed": row["speed_mps"],
                  "length": row["length_m"], "priority": rank(row)})
        for row in links))
    pairs = {pair for closed in (False, True) for _, way in tables.trips(folder, closed)
             for pair in zip(way, way[1:])}
    write(work / "con.xml", "connections", (
        ("connection", {"from": edge[a], "to": edge[b]}) for a, b in sorted(pairs)))
    subprocess.run(["netconvert", "-n", "nod.xml", "-e", "edg.xml", "-x", "con.xml", "-o", "net.xml",
                    "--no-turnarounds.except-deadend", "false"], cwd=work, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return edge


def run(folder, work, edge, closed):
    """An hour. Gives seconds of all vehicles by link, and what is told."""
    name = "closed" if closed else "base"
    write(work / f"{name}.rou.xml", "routes", [])
    with open(work / f"{name}.rou.xml", "w", encoding="utf-8") as file:
        file.write("<routes>\n")
        for number, (depart_s, way) in enumerate(tables.trips(folder, closed)):
            edges = " ".join(edge[link] for link in way)
            file.write(f'<vehicle id="v{number}" depart="{depart_s}"><route edges="{edges}"/></vehicle>\n')
        file.write("</routes>\n")
    write(work / f"{name}.add.xml", "additional", [
        ("edgeData", {"id": "all", "file": f"{name}.edges.xml", "begin": 0, "end": 3600, "excludeEmpty": "true"})])
    start, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["sumo", "-n", "net.xml", "-r", f"{name}.rou.xml", "-a", f"{name}.add.xml",
                    "--mesosim", "--meso-junction-control", "--begin", "0", "--end", "3600",
                    "--no-step-log", "--duration-log.statistics", "--statistic-output", f"{name}.stat.xml",
                    "--no-warnings", "--xml-validation", "never"], cwd=work, check=True,
                   stdout=subprocess.DEVNULL, timeout=900)
    wall_s, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    names = {name: link for link, name in edge.items()}
    seconds = {}
    for item in tree.parse(work / f"{name}.edges.xml").iter("edge"):
        seconds[names[item.get("id")]] = float(item.get("sampledSeconds", 0.0))
    statistics = tree.parse(work / f"{name}.stat.xml").getroot()
    vehicles = statistics.find("vehicles").attrib
    arrived = int(vehicles["inserted"]) - int(vehicles["running"])
    print(name, wall_s, vehicles, statistics.find("teleports").attrib)
    return seconds, f"{name} {sum(seconds.values())} {wall_s} {cpu_s} {arrived}"


def main():
    folder, signals = Path(sys.argv[1]), "--no-signals" not in sys.argv
    program = "sumo" if signals else "sumo-no-signals"
    work = folder / program
    work.mkdir(exist_ok=True)
    edge = convert(folder, work, signals)
    base, told_base = run(folder, work, edge, False)
    closed, told_closed = run(folder, work, edge, True)
    tables.save(folder, program, base, closed, [told_base, told_closed])


if __name__ == "__main__":
    main()
