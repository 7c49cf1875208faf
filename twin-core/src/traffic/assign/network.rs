//! The road network of an assignment: links between junctions, as compact arrays, each link with
//! its cost curve. Checked on entry: no cost can be negative, infinite or NaN afterwards. What must
//! not live here: flows, demand, file formats.

use thiserror::Error;

use super::curve::Curve;

/// A directed link as it is handed in. Times, lengths and tolls have whatever units the network
/// has; [`CostFactors`] turn the last two into time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Junction where it begins.
    pub from: u32,
    /// Junction where it ends.
    pub to: u32,
    /// Vehicles per unit of demand time at which the delay is `b` times the free-flow time.
    pub capacity: f64,
    /// Its length.
    pub length: f64,
    /// Travel time of an empty link.
    pub free_flow_time: f64,
    /// Delay at capacity in free-flow times.
    pub b: f64,
    /// How sharply delay grows with flow: 0, or at least 1.
    pub power: f64,
    /// What it costs to use it.
    pub toll: f64,
}

/// What a toll and a length are worth in time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CostFactors {
    /// Time for one unit of toll.
    pub toll: f64,
    /// Time for one unit of length.
    pub distance: f64,
}

/// A change of one link. Factors are relative to what the link has at that moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LinkChange {
    /// Nobody may use it.
    Close,
    /// It may be used again.
    Open,
    /// Another capacity.
    Capacity(f64),
    /// Its capacity times this.
    CapacityFactor(f64),
    /// Another free-flow time.
    FreeFlowTime(f64),
    /// Its free-flow speed times this.
    SpeedFactor(f64),
    /// Another toll.
    Toll(f64),
}

/// Why links are no network, or a change is none.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum NetworkError {
    /// More links or junctions than numbers for them.
    #[error("{0} are too many links or junctions")]
    TooMany(usize),
    /// A junction that is none.
    #[error("link {link} ends at junction {junction}, of {junctions}")]
    Junction {
        /// Position of the link in the list.
        link: u32,
        /// What it names.
        junction: u32,
        /// How many there are.
        junctions: u32,
    },
    /// A link that is none.
    #[error("there is no link {0}")]
    NoLink(u32),
    /// A value of a link that is out of range.
    #[error("link {link}: {name} {value} is not allowed; allowed: {allowed}")]
    Value {
        /// Position of the link in the list.
        link: u32,
        /// Which value.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What may be given.
        allowed: &'static str,
    },
}

/// A checked network. Cloning copies everything: a fork that can be changed alone.
#[derive(Clone, Debug)]
pub struct Network {
    junctions: u32,
    first_thru: u32,
    factors: CostFactors,
    links: Vec<Link>,
    closed: Vec<bool>,
    pub(super) curves: Vec<Curve>,
    pub(super) tail: Vec<u32>,
    pub(super) head: Vec<u32>,
    out_start: Vec<u32>,
    /// Head and link of every way out, by junction.
    out: Vec<(u32, u32)>,
}

impl Network {
    /// From links between junctions `0..junctions`. Junctions below `first_thru` are zone
    /// centroids: trips begin and end there, but nobody passes through.
    ///
    /// # Errors
    /// When a link names a junction that is none, or has a value that is not allowed.
    pub fn new(
        junctions: u32,
        first_thru: u32,
        links: Vec<Link>,
        factors: CostFactors,
    ) -> Result<Network, NetworkError> {
        let count =
            u32::try_from(links.len()).map_err(|_big| NetworkError::TooMany(links.len()))?;
        // The largest number stands for "none" in bushes.
        if count == u32::MAX || junctions == u32::MAX {
            return Err(NetworkError::TooMany(links.len()));
        }
        let mut curves = Vec::with_capacity(links.len());
        for (number, link) in (0..count).zip(&links) {
            for junction in [link.from, link.to] {
                if junction >= junctions {
                    return Err(NetworkError::Junction { link: number, junction, junctions });
                }
            }
            curves.push(Curve::of(number, link, factors)?);
        }
        let (out_start, out) = ways_out(junctions, &links);
        Ok(Network {
            junctions,
            first_thru,
            factors,
            closed: vec![false; links.len()],
            curves,
            tail: links.iter().map(|link| link.from).collect(),
            head: links.iter().map(|link| link.to).collect(),
            links,
            out_start,
            out,
        })
    }

    /// How many junctions there are.
    pub fn junctions(&self) -> u32 {
        self.junctions
    }

    /// The links, in the order they were handed in, as they are after all changes.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Whether a link is closed; false for a link that is none.
    pub fn is_closed(&self, link: u32) -> bool {
        self.closed.get(link as usize).copied().unwrap_or(false)
    }

    /// All links from one junction to another, closed ones too: duplicates are links of their own.
    /// Cost: the ways out of one junction.
    pub fn between(&self, from: u32, to: u32) -> impl Iterator<Item = u32> + '_ {
        let out = if from < self.junctions { self.out(from) } else { &[] };
        out.iter().filter(move |(head, _)| *head == to).map(|(_, link)| *link)
    }

    /// Changes one link. A solved [`Equilibrium`](super::Equilibrium) has to hear of it through
    /// its own [`change`](super::Equilibrium::change).
    ///
    /// # Errors
    /// When there is no such link or the value is not allowed; nothing has changed then.
    pub fn change(&mut self, link: u32, change: LinkChange) -> Result<(), NetworkError> {
        let at = link as usize;
        let mut changed = *self.links.get(at).ok_or(NetworkError::NoLink(link))?;
        match change {
            LinkChange::Close | LinkChange::Open => {
                self.closed[at] = change == LinkChange::Close;
                return Ok(());
            }
            LinkChange::Capacity(capacity) => changed.capacity = capacity,
            LinkChange::CapacityFactor(factor) => {
                changed.capacity *= check(link, "capacity factor", factor)?;
            }
            LinkChange::FreeFlowTime(time) => changed.free_flow_time = time,
            LinkChange::SpeedFactor(factor) => {
                changed.free_flow_time /= check(link, "speed factor", factor)?;
            }
            LinkChange::Toll(toll) => changed.toll = toll,
        }
        self.curves[at] = Curve::of(link, &changed, self.factors)?;
        self.links[at] = changed;
        Ok(())
    }

    /// Whether a trip from `origin` may leave this junction.
    pub(super) fn may_leave(&self, junction: u32, origin: u32) -> bool {
        junction >= self.first_thru || junction == origin
    }

    /// Head and link of every way out of a junction.
    pub(super) fn out(&self, junction: u32) -> &[(u32, u32)] {
        let at = junction as usize;
        &self.out[self.out_start[at] as usize..self.out_start[at + 1] as usize]
    }
}

/// A factor that may scale a link.
fn check(link: u32, name: &'static str, value: f64) -> Result<f64, NetworkError> {
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(NetworkError::Value { link, name, value, allowed: "more than 0 (to close it: close)" })
}

/// Links grouped by the junction they leave, in their own order.
fn ways_out(junctions: u32, links: &[Link]) -> (Vec<u32>, Vec<(u32, u32)>) {
    let mut start = vec![0_u32; junctions as usize + 1];
    for link in links {
        start[link.from as usize + 1] += 1;
    }
    for at in 1..start.len() {
        start[at] += start[at - 1];
    }
    let mut next = start.clone();
    let mut out = vec![(0, 0); links.len()];
    for (number, link) in (0_u32..).zip(links) {
        let place = &mut next[link.from as usize];
        out[*place as usize] = (link.to, number);
        *place += 1;
    }
    (start, out)
}
