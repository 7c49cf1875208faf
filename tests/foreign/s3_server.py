#!/usr/bin/env python3
"""A server of the S3 protocol, in memory, with the bucket `city`.

    s3_server.py PORT

Prints its URL when it answers, and ends with its standard input.
"""

import argparse
import sys

import boto3
from moto.moto_server.threaded_moto_server import ThreadedMotoServer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", metavar="PORT", type=int)
    arguments = parser.parse_args()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=arguments.port, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{arguments.port}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="city")
    print(url, flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
