"""What an evaluation of protected templates says, in words."""

import sys
from collections.abc import Sequence
from statistics import median

from rich.table import Table

from edge_vessel.biometrics.matcher import THRESHOLD as PLAIN_THRESHOLD
from edge_vessel.biometrics.protected_evaluation import ProtectedEvaluation
from edge_vessel.biometrics.protected_matcher import THRESHOLD
from edge_vessel.biometrics.protection import BYTES
from edge_vessel.command_line import ResultConsole


def write(done: Sequence[ProtectedEvaluation], width: int | None) -> None:
    """To stdout: linking, then inversion."""
    table = Table(title="Linking templates under two keys: D_sys, 0 unlinkable, 1 fully linkable")
    for name in ("data", "attack", "mated", "non-mated", "D_sys", "95 % interval", "chance"):
        table.add_column(name)
    for one in done:
        for way in one.linked:
            table.add_row(
                one.evaluation.kind,
                way.attack,
                str(len(way.mated)),
                str(len(way.non_mated)),
                f"{way.d_sys:.3f}",
                f"{way.low:.3f} to {way.high:.3f}",
                f"{way.chance:.3f}",
            )
    ResultConsole(width=width).print(table)
    sys.stdout.write(
        "chance: up to where D_sys comes in 95 % of shuffles of who is mated; bootstrap intervals "
        "take scores as independent.\n"
    )
    for one in done:
        found = one.inverted
        if not found:
            continue
        clear = sum(each.plain_score >= PLAIN_THRESHOLD for each in found)
        renewed = sum(each.renewed_score >= THRESHOLD for each in found)
        sys.stdout.write(
            f"{one.evaluation.kind}: of {len(found)} templates of {BYTES} bytes stolen with their "
            f"keys, inverted (medians): {median(each.slots for each in found):.0f} landmarks "
            f"placed, {median(each.place_error for each in found):.3f} diameters off; cosine of "
            f"descriptors {median(each.likeness for each in found):.2f}; what was drawn matches "
            f"another capture in the clear {clear}/{len(found)}, under a new key "
            f"{renewed}/{len(found)}\n"
        )
