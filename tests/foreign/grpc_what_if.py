#!/usr/bin/env python3
"""grpcio asks citytwin what if, through reflection alone.

    grpc_what_if.py HOST:PORT --close LINK...

Creates a scenario that closes links, runs it, reads its figures; asserts that a wrong one is refused.
Prints one JSON object. Exits with 1 when anything fails.
"""

import argparse
import json

import grpc

from reflected import Reflected

PLANNER = "citytwin.v1.Planner"


def scenario(links):
    trips = [("south-west", "south-east"), ("north-west", "north-east")]
    return {
        "name": "from Python",
        "model": "dynamic",
        "horizon_s": 3600,
        "base": {},
        "demand": {
            "trips": [
                {"origin": origin, "destination": destination, "flow_pcu_h": 700}
                for origin, destination in trips
            ]
        },
        "edits": [{"from_s": 600, "close": {"on": {"links": links}}}],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", metavar="HOST:PORT")
    parser.add_argument("--close", nargs="+", required=True, metavar="LINK")
    arguments = parser.parse_args()
    with grpc.insecure_channel(arguments.server) as channel:
        twin = Reflected(channel)
        try:
            twin.call(PLANNER, "CreateScenario", {"scenario": scenario(["nowhere"])})
            raise AssertionError("a link that is none was taken")
        except grpc.RpcError as error:
            refused = error.code().name
        request = {"scenario": scenario(arguments.close)}
        planned = twin.call(PLANNER, "CreateScenario", request)
        progress, outcome = 0, None
        for step in twin.stream(PLANNER, "RunScenario", {"id": planned["id"]}):
            progress += "progress" in step
            outcome = step.get("outcome", outcome)
        rows = 0
        request = {"id": planned["id"], "links": True}
        for part in twin.stream(PLANNER, "GetOutcome", request):
            rows += len(part.get("figures", {}).get("links", []))
    print(json.dumps({"refused": refused, "progress": progress, "outcome": outcome, "rows": rows}))


if __name__ == "__main__":
    main()
