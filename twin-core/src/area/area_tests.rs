//! Tests of areas.
use super::*;
