"""What the vessels of a mask are: graph, landmarks, biomarkers."""

from edge_vessel.vessels.analysis import VesselAnalysis, analyse
from edge_vessel.vessels.biomarkers import Biomarkers
from edge_vessel.vessels.field import Field
from edge_vessel.vessels.graph import Edge, Node, VesselGraph
from edge_vessel.vessels.landmarks import Branch, Landmark

__all__ = [
    "Biomarkers",
    "Branch",
    "Edge",
    "Field",
    "Landmark",
    "Node",
    "VesselAnalysis",
    "VesselGraph",
    "analyse",
]
