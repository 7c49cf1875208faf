"""The tables of results/peers.md, from what all programs left in a folder.

    compare.py FOLDER
"""

import sys
from pathlib import Path

from scipy import stats

import peer_tables as tables

PROGRAMS = ["ours", "sumo", "sumo-no-signals", "uxsim"]

# So many links that the closure changes most.
MOST = 50


def changes(folder, program):
    """By link, what the closure adds, in seconds of all vehicles; without the closed link."""
    closed = tables.closed_link(folder)
    rows = tables.rows(folder, f"{program}.csv")
    return {row["link"]: float(row["closed_s"]) - float(row["base_s"]) for row in rows
            if row["link"] != closed}


def main():
    folder = Path(sys.argv[1])
    there = [program for program in PROGRAMS if (folder / f"{program}.csv").exists()]
    print("| program | run | vehicle hours | arrived | wall s | processor s |\n|---|---|---|---|---|---|")
    for program in there:
        for line in (folder / f"{program}.txt").read_text(encoding="utf-8").splitlines():
            words = line.split()
            if words[0] != "link":
                hours, wall_s, cpu_s, arrived = float(words[1]) / 3600, *map(float, words[2:5])
                print(f"| {program} | {words[0]} | {hours:.1f} | {arrived:.0f} | {wall_s:.1f} | {cpu_s:.1f} |")
    ours = changes(folder, "ours")
    print("\n| beside ours | 50 links of | Spearman | Kendall | of them in its own 50 |\n|---|---|---|---|---|")
    top = lambda change: sorted(change, key=lambda link: -abs(change[link]))[:MOST]
    for program in there[1:]:
        theirs = changes(folder, program)
        both = len(set(top(ours)) & set(top(theirs)))
        for name, chosen in (("ours", top(ours)), (program, top(theirs))):
            a, b = [ours[link] for link in chosen], [theirs[link] for link in chosen]
            print(f"| {program} | {name} | {stats.spearmanr(a, b)[0]:.2f} | {stats.kendalltau(a, b)[0]:.2f} | {both} |")


if __name__ == "__main__":
    main()
