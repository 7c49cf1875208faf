#!/usr/bin/env python3
"""Checks the files of this folder as far as that goes without a container engine.

    check.py

- every YAML and JSON file parses, and compose, Kubernetes and Grafana files have the parts they need;
- `mosquitto` starts with mosquitto.conf (on a free port, with a data folder of its own), and what it
  must not lose is set;
- `promtool` accepts prometheus.yml and alerts.yml; `systemd-analyze verify` accepts the unit.
Tools that are not installed are named, and fail the check when CITYTWIN_REQUIRE_FOREIGN=1 (systemd
excepted: containers have none). That every setting and metric named here exists is checked by the
test `deploy` of the program.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import yaml

HERE = pathlib.Path(__file__).resolve().parent
problems = []


def check(holds, what):
    if not holds:
        problems.append(what)


def tool(name, required=True):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if not found:
        print(f"SKIPPED: {name} is not installed", file=sys.stderr)
        check(not (required and os.environ.get("CITYTWIN_REQUIRE_FOREIGN") == "1"), f"no {name}")
    return found


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    check(done.returncode == 0, f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done


def parse():
    parsed = {}
    for path in sorted(HERE.rglob("*")):
        name = str(path.relative_to(HERE))
        try:
            if path.suffix in (".yaml", ".yml"):
                parsed[name] = list(yaml.safe_load_all(path.read_text()))
            elif path.suffix == ".json":
                parsed[name] = json.loads(path.read_text())
        except (yaml.YAMLError, json.JSONDecodeError) as error:
            problems.append(f"{name}: {error}")
    return parsed


def compose(document):
    services = document["services"]
    wanted = {"mosquitto", "citytwin", "simulator", "prometheus", "grafana"}
    check(services.keys() == wanted, f"compose.yaml: services {sorted(services)}")
    volumes = document["volumes"].keys()
    for name, service in services.items():
        check("image" in service or "build" in service, f"compose.yaml: {name} has no image")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            exists = (HERE / source).exists() if source.startswith(".") else source in volumes
            check(exists, f"compose.yaml: {name}: {source} does not exist")
        for other in service.get("depends_on", []):
            check(other in services, f"compose.yaml: {name} depends on {other}")
        for port in service.get("ports", []):
            check(port.startswith("127.0.0.1:"), f"compose.yaml: {name} opens {port} to everybody")


def kubernetes(documents):
    kinds = sorted(document["kind"] for document in documents)
    check(kinds == ["ConfigMap", "Namespace", "Service", "StatefulSet"], f"kubernetes.yaml: {kinds}")
    stateful = next(d for d in documents if d["kind"] == "StatefulSet")["spec"]
    check(stateful["replicas"] == 1, "kubernetes.yaml: two engines would share a folder")
    container = stateful["template"]["spec"]["containers"][0]
    ports = {port["name"] for port in container["ports"]}
    service = next(d for d in documents if d["kind"] == "Service")["spec"]
    for port in service["ports"]:
        check(port["targetPort"] in ports, f"kubernetes.yaml: no port {port['targetPort']}")
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    claimed = {claim["metadata"]["name"] for claim in stateful["volumeClaimTemplates"]}
    check(mounted == claimed, f"kubernetes.yaml: mounts {mounted}, claims {claimed}")


def dashboard(document, sources, query):
    uids = {source["uid"] for source in sources[0]["datasources"]}
    name = document["uid"]
    ids = [panel["id"] for panel in document["panels"]]
    check(len(ids) == len(set(ids)) > 0, f"{name}: panels share an id")
    for panel in document["panels"]:
        check(panel["datasource"]["uid"] in uids, f"{name}: {panel['title']}: no such source")
        check(all(target[query] for target in panel["targets"]), f"{panel['title']}: no query")


def containerfile(text):
    check(len(re.findall(r"^FROM ", text, re.M)) == 2, "Containerfile: not two stages")
    user = re.search(r"^USER (\d+)", text, re.M)
    check(user and user.group(1) != "0", "Containerfile: runs as root")
    check("HEALTHCHECK" in text and '"status"' in text, "Containerfile: no health check")
    for source in re.findall(r"install -D -m \d+ ((?!target/)\S+) ", text):
        check((HERE.parent / source).exists(), f"Containerfile: {source} does not exist")


def mosquitto():
    text = (HERE / "mosquitto.conf").read_text()
    for line in ("max_queued_messages 0", "max_inflight_messages 1000", "persistence true"):
        check(re.search(f"^{line}$", text, re.M), f"mosquitto.conf: not {line}")
    program = tool("mosquitto")
    if not program:
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        text = text.replace("listener 1883", f"listener {port} 127.0.0.1")
        text = text.replace("/mosquitto/data/", f"{folder}/")
        config = pathlib.Path(folder, "mosquitto.conf")
        config.write_text(text)
        config.chmod(0o644)
        broker = subprocess.Popen(
            [program, "-c", config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0 or broker.poll() is not None:
                        break
                time.sleep(0.1)
            up = broker.poll() is None
        finally:
            broker.terminate()
            said = broker.communicate(timeout=20)[0]
        check(up and "Error" not in said, f"mosquitto.conf: {said}")


def main():
    parsed = parse()
    compose(parsed["compose.yaml"][0])
    kubernetes(parsed["kubernetes.yaml"])
    dashboard(
        parsed["grafana/dashboards/citytwin.json"],
        parsed["grafana/provisioning/datasources/prometheus.yaml"],
        "expr",
    )
    dashboard(
        parsed["grafana/dashboards/values.json"],
        parsed["grafana/provisioning/datasources/citytwin.yaml"],
        "queryText",
    )
    containerfile((HERE / "Containerfile").read_text())
    mosquitto()
    if promtool := tool("promtool"):
        run(promtool, "check", "config", HERE / "prometheus.yml")
        run(promtool, "check", "rules", HERE / "alerts.yml")
    if analyze := tool("systemd-analyze", required=False):
        unit = (HERE / "citytwin.service").read_text()
        # The program is not installed where this runs.
        unit = re.sub(r"/usr/local/bin/citytwin \w+", "/bin/true", unit)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "citytwin.service")
            path.write_text(unit)
            said = run(analyze, "verify", "--man=no", path)
            check("citytwin.service" not in said.stderr, f"citytwin.service: {said.stderr}")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"deploy: {len(parsed)} files parsed, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
