#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Do the exporter's module and the dashboard name only objects that there are, under their numbers?
Usage: mib_users.py MODULE. Says what is wrong; exits 1 if there is anything.
"""

import json
import re
import subprocess
import sys

EXPORTER, DASHBOARD = "etc/snmp/snmp_exporter.yml", "etc/snmp/grafana.json"

faults = []
said = subprocess.run(["smidump", "-f", "identifiers", sys.argv[1]], text=True,
                      capture_output=True, check=False).stdout
oids = {name: oid for name, kind, oid in re.findall(r"^HOME-AGENT-MIB (\w+) +(\w+) +([\d.]+)$", said, re.M)
        if kind in ("scalar", "column")}
if len(oids) < 50:
    faults.append(f"{sys.argv[1]}: smidump found {len(oids)} objects")

metrics = set()
with open(EXPORTER, encoding="ascii") as f:
    text = f.read()
for name, oid in re.findall(r"- name: (\w+)\n +oid: ([\d.]+)\n", text):
    metrics.add(name)
    if oids.get(name) != oid:
        faults.append(f"{EXPORTER}: {name} is {oids.get(name)}, not {oid}")
if not metrics:
    faults.append(f"{EXPORTER}: no metrics")
walked = re.findall(r"^ +- ([\d.]+)$", text, re.M)
for name in metrics:
    if not any((oids.get(name, "") + ".").startswith(w + ".") for w in walked):
        faults.append(f"{EXPORTER}: {name} is not walked")

labels = set(re.findall(r"labelname: (\w+)", text))
for name in sorted(labels - set(oids)):
    faults.append(f"{EXPORTER}: there is no {name} to be a label")
for name, oid in re.findall(r"labelname: (\w+)\n +oid: ([\d.]+)\n", text):
    if oids.get(name) != oid:
        faults.append(f"{EXPORTER}: {name} is {oids.get(name)}, not {oid}")

with open(DASHBOARD, encoding="ascii") as f:
    panels = json.load(f)["panels"]
shown = {n for p in panels for t in p.get("targets", ()) for n in re.findall(r"\bhe[A-Z]\w*", t["expr"])}
if not shown:
    faults.append(f"{DASHBOARD}: no metrics")
for name in sorted(shown - metrics - {"heReplyCode"}):
    faults.append(f"{DASHBOARD}: {name} is not a metric of {EXPORTER}")

legends = {n for p in panels for t in p.get("targets", ())
           for n in re.findall(r"\{\{(\w+)\}\}", t.get("legendFormat", ""))}
for name in sorted(legends - labels - {"instance"}):
    faults.append(f"{DASHBOARD}: {name} is not a label of {EXPORTER}")

print("\n".join(faults), end="\n" if faults else "")
sys.exit(bool(faults))
