#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What detectors find, and after how long; and what they leave alone.

Environment: DNSTAP_EXPORTER; DNSTAP_CAPTURES, a folder with ordinary.fstrm.zst, bind-big and unbound-big
(optional); DNSTAP_DGA, a folder with a file of names for each family of malware (optional). The quick
part of the same is tests/integration/test_detection.py.
"""

import collections
import os
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from common import table
from test_detection import INFECTED, SECOND, START_S, Attacks, read, read_look_ups
from traffic import (LookUp, Zipf, amplification, at_random, exfiltration, infected, modelled_network, often, random_subdomains,
                     rebinding, render, sites, word, write_recording)

SUFFIX_LIST = pathlib.Path("/usr/share/publicsuffix/public_suffix_list.dat")


def said(findings):
    counts = collections.Counter(finding.detector for finding in findings)
    return ", ".join(f"{count} {detector}" for detector, count in counts.items()) or "none"


# --- A modelled hour ---

def modelled_hour():
    parts = modelled_network("bench", 3600, 370)
    rows = [(name, len(look_ups), said(read_look_ups(look_ups).begins)) for name, look_ups in parts.items()]
    everything = [look_up for look_ups in parts.values() for look_up in look_ups]
    rows.append(("together", len(everything), said(read_look_ups(everything).begins)))
    table("a modelled hour", ("look-ups", "findings"), rows)


# --- Recordings ---

def dense(content, factor):
    """The frames of a recording, at so many times the rate."""
    from sender import data_frames  # it needs the protobuf package
    from truth import messages
    kind = messages()["dnstap.Dnstap"]
    frames, start = [], None
    for _, payload in data_frames(content):
        frame = kind.FromString(payload)
        for what in ("query", "response"):
            if frame.message.HasField(f"{what}_time_sec"):
                when = (getattr(frame.message, f"{what}_time_sec") * SECOND
                        + getattr(frame.message, f"{what}_time_nsec"))
                start = start or when
                when = start + (when - start) // factor
                setattr(frame.message, f"{what}_time_sec", when // SECOND)
                setattr(frame.message, f"{what}_time_nsec", when % SECOND)
        packed = frame.SerializeToString()
        frames.append((when, len(packed).to_bytes(4, "big") + packed))
    return sorted(frames, key=lambda frame: frame[0])


def recordings(folder):
    import subprocess
    rows = []
    for name in ("bind-big", "unbound-big", "ordinary"):
        path = pathlib.Path(folder, f"{name}.fstrm.zst")
        if not path.exists():
            continue
        found = read(path).begins
        rows.append((name, "1", ", ".join(f"{finding.detector} {finding.domain or finding.client}" for finding in found) or "none"))
    path = pathlib.Path(folder, "ordinary.fstrm.zst")
    for factor in (10, 100) if path.exists() else ():
        content = subprocess.run(["zstd", "-q", "-d", "-c", path], stdout=subprocess.PIPE, check=True).stdout
        with tempfile.TemporaryDirectory() as temporary:
            written = pathlib.Path(temporary, "dense.fstrm")
            write_recording(written, dense(content, factor))
            rows.append(("ordinary", str(factor), said(read(written).begins)))
    table("recordings", ("density", "findings"), rows)


# --- Exfiltration ---

def exfiltrations():
    rows = []
    for rate, length, most in ((100, 48, 12), (20, 48, 60), (5, 48, 230), (1, 48, 1300), (0.7, 30, 1800)):
        look_ups = exfiltration(INFECTED, "evil.example", random.Random(rate), rate, length, 0, most + 60)
        found = read_look_ups(look_ups).begins
        rows.append((f"{rate} B/s, {length} characters", most, f"{found[0].second:.0f}" if found else "not found"))
    table("exfiltration", ("seconds, at most", "seconds"), rows)


# --- DGA ---

def suffixes():
    lines = (line.strip() for line in SUFFIX_LIST.read_text(encoding="utf-8").splitlines())
    return {line for line in lines if line and not line.startswith("//")}


def zone_of(name, rules):
    """The zone that denies a domain that does not exist: that of its public suffix, or the root."""
    labels = name.split(".")
    if labels[-1] not in rules:
        return ""
    first = next(n for n in range(len(labels)) if ".".join(labels[n:]) in rules)
    return ".".join(labels[max(first, 1) if first <= 1 else first - 1:])


def browsing(chance, client, web, rate, seconds, missing=0):
    for when in at_random(chance, rate / 60, 0, seconds):
        domain = web.choose(chance, 1)[0]
        exists = chance.random() >= missing
        yield LookUp(when, client, f"www.{'' if exists else 'x'}{domain}", exists, zone=domain.partition(".")[2])


def families(folder):
    rules = suffixes()
    rows = []
    for rate, browsed in ((2, 10), (0.5, 10), (0.2, 10), (0.5, 60)):
        found, wrong, most_domains, most_seconds, missed = 0, 0, 0, 0, []
        files = sorted(pathlib.Path(folder).glob("*.txt"))
        for path in files:
            chance = random.Random(path.name)
            names = path.read_text(encoding="ascii").split()
            chance.shuffle(names)
            look_ups = [LookUp(when, INFECTED, name, zone=zone_of(name, rules))
                        for when, name in zip(often(rate, 60, 660), names)]
            web = Zipf(sites(chance, 2000))
            look_ups += browsing(chance, INFECTED, web, browsed, 660)
            for client in range(50):
                look_ups += browsing(chance, f"10.1.0.{client + 1}", web, 10, 660, 0.02)
            begins = read_look_ups(look_ups).begins
            right = [finding for finding in begins if finding.who() == ("nxdomain_client", INFECTED, "")]
            wrong += len({finding.client for finding in begins} - {INFECTED, ""})
            if right:
                found += 1
                most_domains = max(most_domains, float(right[0].line["missing_domains"]))
                most_seconds = max(most_seconds, right[0].second - 60)
            else:
                missed.append(path.stem)
        rows.append((f"{rate}/s beside {browsed} browsed names a minute", f"{found} of {len(files)}",
                     f"{most_domains:.0f}", f"{most_seconds:.0f}", wrong, " ".join(missed)))
    table("DGA families", ("found", "domains, at most", "seconds, at most", "clients wrongly named", "missed"), rows)


# --- Random subdomains ---

def attacks():
    participants = [f"10.77.0.{n}" for n in range(1, 101)]
    people = modelled_network("attacks", 240, 200)
    background = [look_up for part in ("browsing", "content networks", "ad policy", "beacons") for look_up in people[part]]
    rows = []
    for shape, (victim, label) in {**Attacks.SHAPES, "a top-level domain": ("com", lambda chance: word(chance, 10, 16))}.items():
        seconds, named = [], 0
        for rate in (5, 20, 200, 2000):
            chance = random.Random(f"{shape} {rate}")
            begins = read_look_ups(background + random_subdomains(chance, victim, rate, participants, 60, 180, label)).begins
            right = [finding.second - 60 for finding in begins if finding.who() == ("nxdomain_domain", "", victim)]
            seconds.append(f"{right[0]:.0f}" if right else "-")
            named += len({finding.client for finding in begins} & set(participants))
        rows.append((f"below {shape}", *seconds, named))
    table("random subdomains, of 100 clients", ("s at 5/s", "20/s", "200/s", "2000/s", "participants named"), rows)


# --- Floods and rebinding ---

def others():
    """Beside people that browse: how long it takes, and what else is found."""
    people = [look_up for look_ups in modelled_network("others", 300, 200).values() for look_up in look_ups]
    chance = random.Random("others")
    kinds = [(f"{kilobytes} kB/s to one network", amplification(chance, "203.0.113.", kilobytes / 2, 60, 240))
             for kilobytes in (100, 200, 1000)]
    # A validating resolver has it in a cache: other names each time.
    kinds.append(("1,000 kB/s for ever new names", [look_up._replace(name=f"zone{n}.example.net") for n, look_up in
                                                    enumerate(amplification(chance, "198.51.100.", 500, 60, 240))]))
    kinds.append(("rebinding 30 s after the public address", rebinding(INFECTED, "www.rebound.example", 30)))
    rows = []
    for name, look_ups in kinds:
        begins = read_look_ups(people + look_ups).begins
        seconds = [f"{finding.second - 60:.0f}" for finding in begins if finding.detector in ("amplification", "rebinding")]
        rest = [finding for finding in begins if finding.detector not in ("amplification", "rebinding")]
        rows.append((name, ", ".join(seconds) or "none", said(rest)))
    table("floods and rebinding", ("seconds", "other findings"), rows)


def main():
    exfiltrations()
    attacks()
    others()
    modelled_hour()
    if "DNSTAP_CAPTURES" in os.environ:
        recordings(os.environ["DNSTAP_CAPTURES"])
    if "DNSTAP_DGA" in os.environ:
        families(os.environ["DNSTAP_DGA"])


if __name__ == "__main__":
    main()
