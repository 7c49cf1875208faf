"""Seconds of AequilibraE (bi-conjugate Frank-Wolfe) to a relative gap, on TNTP networks.

    equilibrium.py TNTP_FOLDER [SECONDS [CITY...]]

Each gap is a run of its own, cut after SECONDS (300): then the gap it had reached is told. Loading
is not counted.
"""

import multiprocessing
import queue
import sys
import threading
import time
from pathlib import Path

CITIES = {
    "SiouxFalls": ("SiouxFalls", 0.0, 0.0),
    "Anaheim": ("Anaheim", 0.0, 0.0),
    "Chicago-Sketch": ("ChicagoSketch", 0.02, 0.04),
}
GAPS = [1e-4, 1e-6]


def read_network(path):
    """Rows of a _net file as numbers, and the first node that may be passed."""
    first, rows, body = 1, [], False
    for line in path.read_text().splitlines():
        if line.startswith("<FIRST THRU NODE>"):
            first = int(line.split(">")[1])
        body = body or line.startswith("<END OF METADATA>")
        words = line.strip().rstrip(";").split()
        if body and words and words[0].isdigit():
            rows.append([float(word) for word in words])
    return rows, first


def read_trips(path):
    """Trips by origin and destination."""
    import numpy

    flows, origin = {}, 0
    for line in path.read_text().splitlines():
        if line.startswith("Origin"):
            origin = int(line.split()[1])
        elif origin and ":" in line:
            for pair in line.split(";"):
                if ":" in pair:
                    to, flow = pair.split(":")
                    flows[origin, int(to)] = float(flow)
    zones = max(max(pair) for pair in flows)
    matrix = numpy.zeros((zones, zones))
    for (a, b), flow in flows.items():
        if a != b:
            matrix[a - 1, b - 1] = flow
    return matrix


def solve(folder, name, toll, distance, gap, answer, reached):
    """One run; answers with seconds and the gap after every iteration."""
    import numpy
    import pandas
    from aequilibrae.matrix import AequilibraeMatrix
    from aequilibrae.paths import Graph, TrafficAssignment, TrafficClass

    rows, first = read_network(folder / f"{name}_net.tntp")
    trips = read_trips(folder / f"{name}_trips.tntp")
    # init, term, capacity, length, free flow time, b, power, speed, toll, type
    columns = ["a_node", "b_node", "capacity", "length", "free", "b", "power", "speed", "toll", "kind"]
    links = pandas.DataFrame([row[:10] for row in rows], columns=columns)
    links = links.astype({"a_node": int, "b_node": int})
    links.insert(0, "link_id", numpy.arange(1, len(links) + 1))
    links["direction"] = 1
    links["fixed"] = toll * links.toll + distance * links.length
    # It takes no free-flow time of 0, and powers of 1 or more: no volume changes such a link.
    links.loc[links.power < 1, ["b", "power"]] = [0.0, 1.0]
    links.loc[links.free <= 0, "free"] = 1e-9
    graph = Graph()
    graph.network = links
    zones = numpy.arange(1, len(trips) + 1)
    graph.prepare_graph(zones)
    graph.set_graph("free")
    graph.set_skimming(["free"])
    graph.set_blocked_centroid_flows(first > len(trips))
    matrix = AequilibraeMatrix()
    matrix.create_empty(zones=len(trips), matrix_names=["trips"], memory_only=True)
    matrix.index = zones
    matrix.matrix["trips"][:, :] = trips
    matrix.computational_view(["trips"])
    traffic = TrafficClass("car", graph, matrix)
    if toll or distance:
        traffic.set_fixed_cost("fixed")
    job = TrafficAssignment()
    job.set_classes([traffic])
    job.set_vdf("BPR")
    job.set_vdf_parameters({"alpha": "b", "beta": "power"})
    job.set_capacity_field("capacity")
    job.set_time_field("free")
    job.set_algorithm("bfw")
    job.set_cores(1)
    job.max_iter = 100_000
    job.rgap_target = gap

    def watch():
        while True:
            time.sleep(0.5)
            reached.value = job.assignment.rgap

    threading.Thread(target=watch, daemon=True).start()
    answer.put(("begin", time.perf_counter(), None))
    job.execute(log_specification=False)
    report = job.report()
    answer.put(("end", time.perf_counter(), (len(report), float(report.rgap.iloc[-1]))))


def timed(arguments, limit_s):
    """Runs in a process of its own, so that it can be cut."""
    answer, reached = multiprocessing.Queue(), multiprocessing.Value("d", float("inf"))
    process = multiprocessing.Process(target=solve, args=(*arguments, answer, reached))
    process.start()
    _, begin, _ = answer.get(timeout=60)
    try:
        _, end, (iterations, gap) = answer.get(timeout=limit_s)
        return f"{end - begin:.2f} s, {iterations} iterations, gap {gap:.1e}"
    except queue.Empty:
        return f"not within {limit_s:.0f} s: gap {reached.value:.1e}"
    finally:
        process.terminate()
        process.join()


def main():
    folder = Path(sys.argv[1])
    limit_s = float(sys.argv[2]) if len(sys.argv) > 2 else 300.0
    for city, (name, toll, distance) in CITIES.items():
        if len(sys.argv) > 3 and city not in sys.argv[3:]:
            continue
        for gap in GAPS:
            print(f"| {city} to {gap:.0e} | {timed((folder / city, name, toll, distance, gap), limit_s)} |", flush=True)


if __name__ == "__main__":
    main()
