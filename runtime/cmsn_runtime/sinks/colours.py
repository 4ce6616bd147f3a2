"""Colours of stages and proposals, the same in every picture."""

from __future__ import annotations

from cmsn_runtime.stages import Stage

# Okabe and Ito's colours, which people with any colour blindness can tell apart.
STAGE_COLOURS = {
    Stage.BACKGROUND: "#ECECEC",
    Stage.READY: "#56B4E9",
    Stage.START: "#E69F00",
    Stage.CONFIRM: "#D55E00",
    Stage.END: "#CC79A7",
    Stage.FOLLOW: "#009E73",
}
PROPOSAL_COLOUR = "#0072B2"
