"""Prometheus' text exposition format 0.0.4: families of metrics, each named edge_vessel_..."""

from collections.abc import Iterable, Mapping

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


def family(name: str, kind: str, what: str, samples: Iterable[Sample], suffix: str = "") -> str:
    """A metric with its help and type; `suffix` is that of a histogram's buckets."""
    head = f"# HELP edge_vessel_{name} {what}\n# TYPE edge_vessel_{name} {kind}\n"
    return head + "".join(line(name + suffix, labels, value) for labels, value in samples)


def line(name: str, labels: Labels, value: float) -> str:
    """One sample; whole numbers are written as such."""
    pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"edge_vessel_{name}{f'{{{pairs}}}' if pairs else ''} {float(value):.15g}\n"


def _escaped(text: str) -> str:
    """As the text exposition format has it for label values."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
