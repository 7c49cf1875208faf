//! Own ledger against the ledger and the archive of the twin: nothing lost, nothing twice.
