"""UXsim (C++ engine) on the tables of `peer`.

    uxsim_run.py FOLDER [PLATOON]

Platoons of one vehicle (more: coarser and faster). Ways are enforced vehicle by vehicle. Its
diagram has free speed and jam density as ours and a reaction time of 1 s: so capacity and wave
speed are its own. Its step is the platoon times the reaction time: a shorter link takes that long.
"""

import sys
import time

import numpy
import uxsim

import peer_tables as tables


def run(folder, platoon, closed):
    """An hour. Gives seconds of all vehicles by link, and what is told."""
    world = uxsim.World(name="", deltan=platoon, tmax=3600, cpp=True, random_seed=1, print_mode=0,
                        save_mode=0, show_mode=0, show_progress=0, duo_update_time=100_000,
                        vehicle_logging_timestep_interval=-1)
    for row in tables.rows(folder, "nodes.csv"):
        world.addNode(row["key"], float(row["x_m"]), float(row["y_m"]))
    links = {}
    for row in tables.rows(folder, "links.csv"):
        lanes = max(1, round(float(row["lanes"])))
        links[row["key"]] = world.addLink(
            row["key"], row["from"], row["to"], length=float(row["length_m"]),
            free_flow_speed=float(row["speed_mps"]), number_of_lanes=lanes,
            jam_density_per_lane=float(row["jam_veh_m"]) / lanes)
    ends = {row["key"]: (row["from"], row["to"]) for row in tables.rows(folder, "links.csv")}
    for depart_s, way in tables.trips(folder, closed):
        vehicle = world.addVehicle(ends[way[0]][0], ends[way[-1]][1], depart_s)
        vehicle.enforce_route([links[link] for link in way])
    start, used = time.perf_counter(), time.process_time()
    world.exec_simulation()
    wall_s, cpu_s = time.perf_counter() - start, time.process_time() - used
    step_s = world.DELTAT
    seconds = {}
    for key, link in links.items():
        here = numpy.asarray(link.cum_arrival) - numpy.asarray(link.cum_departure)
        if here.any():
            seconds[key] = float(here.sum() * step_s)
    arrived = sum(vehicle.state == "end" for vehicle in world.VEHICLES.values()) * platoon
    name = "closed" if closed else "base"
    told = f"{name} {sum(seconds.values())} {wall_s} {cpu_s} {arrived}"
    print(told, flush=True)
    return seconds, told


def main():
    folder = sys.argv[1]
    platoon = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    base, told_base = run(folder, platoon, False)
    closed, told_closed = run(folder, platoon, True)
    tables.save(folder, "uxsim", base, closed, [told_base, told_closed])


if __name__ == "__main__":
    main()
