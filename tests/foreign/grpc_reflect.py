#!/usr/bin/env python3
"""grpcio asks citytwin through reflection alone: no generated code, no .proto file.

    grpc_reflect.py HOST:PORT [--sensor AGENCY/ID ...]

Lists the services, checks health, calls GetStatus, QueryArea over everywhere and over a box, and
GetSensor for each --sensor; asserts that a bad request names its field. Prints one JSON object
(protobuf JSON of the answers). Exits with 1 when anything fails.
"""

import argparse
import json
import sys

import grpc

from reflected import TIMEOUT_S, Reflected

OPERATOR = "citytwin.v1.Operator"
HEALTH = "grpc.health.v1.Health"


def refused(twin, request):
    """The error of a request that must not be answered."""
    try:
        answer = twin.call(OPERATOR, "QueryArea", request)
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.INVALID_ARGUMENT:
            raise
        return error.details()
    raise AssertionError(f"{request} was answered: {answer}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", metavar="HOST:PORT")
    parser.add_argument("--sensor", action="append", default=[], metavar="AGENCY/ID")
    options = parser.parse_args()
    try:
        with grpc.insecure_channel(options.server) as channel:
            grpc.channel_ready_future(channel).result(TIMEOUT_S)
            twin = Reflected(channel)
            services = twin.services()
            assert OPERATOR in services and HEALTH in services, services
            box = {"south_deg": 10.3, "west_deg": 106.3, "north_deg": 11.2, "east_deg": 107.1}
            upside_down = dict(box, south_deg=11.2, north_deg=10.3)
            area = refused(twin, {"area": {"box": upside_down}})
            assert "area" in area or "box" in area, f"which field? {area}"
            answer = {
                "services": services,
                "methods": twin.methods(OPERATOR),
                "health": twin.call(HEALTH, "Check", {"service": OPERATOR}),
                "status": twin.call(OPERATOR, "GetStatus", {}),
                "everywhere": twin.call(
                    OPERATOR, "QueryArea", {"area": {"everywhere": {}}, "resolution": 7}
                ),
                "box": twin.call(
                    OPERATOR, "QueryArea", {"area": {"box": box}, "include_sensors": True}
                ),
                "ledger": twin.call(OPERATOR, "GetLedger", {}),
                "sensors": {
                    sensor: twin.call(OPERATOR, "GetSensor", {"sensor": sensor})
                    for sensor in options.sensor
                },
                "refused": area,
            }
    except (grpc.RpcError, grpc.FutureTimeoutError, AssertionError, KeyError) as problem:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
