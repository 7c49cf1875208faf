//! What was sent and acknowledged, by sensor: the side of the books that the verdict trusts.
