//! What a run did, in numbers: sent, acknowledged, latency from publish to acknowledgement.
