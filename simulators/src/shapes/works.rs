//! Industry and street lights.

use super::day::Moment;
use super::nature::Noise;
use super::{Shape, Values, rounded};
use crate::chance::{bits, draw, smooth, unit};
use citytwin_proto::ingest::v1::Quantity;

const HOUR_MS: i64 = 3_600_000;
/// Lamps burn from this hour to that, dimmed in the small hours.
const LIT_FROM: f64 = 17.9;
const LIT_TO: f64 = 5.7;
const DIM_FROM: f64 = 23.0;
const DIM_TO: f64 = 4.5;

/// Power of a lamp: its rating when lit, 60 % when dimmed, 0 by day or when it is broken.
pub(super) fn lamp(shape: &Shape, moment: &Moment, out: &mut Values) {
    // Each lamp's twilight switch has its own threshold, worth some minutes.
    let own = 0.2 * unit(draw(shape.seed, 5));
    let lit = moment.hour > LIT_FROM + own || moment.hour < LIT_TO - own;
    let dim = !(DIM_TO..DIM_FROM).contains(&moment.hour);
    let broken = unit(draw(shape.seed, bits(moment.day))) < 0.004;
    let part = match (lit && !broken, dim) {
        (false, _) => 0.0,
        (true, true) => 0.6,
        (true, false) => 1.0,
    };
    let mut noise = Noise(draw(shape.seed, bits(moment.time_ms)));
    out.put(Quantity::LampPowerW, rounded(shape.size * part * noise.about(0.01), 10.0));
}

/// Sulphur dioxide and dust in the flue gas, higher at full load.
pub(super) fn stack(shape: &Shape, moment: &Moment, out: &mut Values) {
    let mut noise = Noise(draw(shape.seed, bits(moment.time_ms)));
    let fuel = 1.0 + 0.3 * smooth(shape.seed, moment.time_ms, 4 * HOUR_MS);
    let load = 0.4 + 0.6 * moment.shift();
    let so2 = 140.0 * shape.busy * load * fuel * noise.about(0.04);
    out.put(Quantity::StackSo2MgM3, rounded(so2, 10.0));
    let dust = 55.0 * shape.busy * load * fuel * noise.about(0.06);
    out.put(Quantity::StackDustMgM3, rounded(dust, 10.0));
}

/// Acidity and oxygen demand of treated water.
pub(super) fn effluent(shape: &Shape, moment: &Moment, out: &mut Values) {
    let mut noise = Noise(draw(shape.seed, bits(moment.time_ms)));
    let slow = smooth(shape.seed, moment.time_ms, 3 * HOUR_MS);
    out.put(Quantity::EffluentPh, rounded(7.2 + 0.5 * slow + 0.04 * noise.step(), 100.0));
    let cod = 48.0 * shape.busy * (0.7 + 0.3 * moment.shift()) * (1.0 + 0.25 * slow);
    out.put(Quantity::EffluentCodMgL, rounded(cod * noise.about(0.03), 10.0));
}

/// Electric power of a plant.
pub(super) fn power(shape: &Shape, moment: &Moment, out: &mut Values) {
    let mut noise = Noise(draw(shape.seed, bits(moment.time_ms)));
    let batches = 1.0 + 0.12 * smooth(shape.seed, moment.time_ms, HOUR_MS / 2);
    let load = shape.size * (0.25 + 0.75 * moment.shift()) * batches * noise.about(0.015);
    out.put(Quantity::PowerKw, rounded(load, 10.0));
}

/// Vibration velocity (RMS) of a machine.
pub(super) fn vibration(shape: &Shape, moment: &Moment, out: &mut Values) {
    let mut noise = Noise(draw(shape.seed, bits(moment.time_ms)));
    let wear = 1.0 + 0.3 * smooth(shape.seed, moment.time_ms, 24 * HOUR_MS);
    let running = 0.15 + 0.85 * moment.shift();
    let level = 2.6 * shape.busy * running * wear * noise.about(0.12);
    out.put(Quantity::VibrationMmS, rounded(level, 100.0));
}
