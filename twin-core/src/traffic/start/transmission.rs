//! A start as the link transmission model takes it: links of the same numbers, origins and
//! destinations where trips begin and end, their demand, turning shares and the state of each link.
//! With flows in balance, a run that nothing disturbs goes on with the flows it began with.
//!
//! Who builds the model's network another way (destinations at zones, say) takes the parts:
//! [`Start::link_starts`], [`Start::model_turning`] and [`Start::model_demand`] work with every
//! model network whose links are the road network's, in order.

use std::collections::BTreeMap;

use super::state::Start;
use crate::road;
use crate::road::{JunctionIndex, LinkIndex};
use crate::traffic::ltm;
use crate::traffic::roads::{Raised, with_ends};

/// Trips below this do not make an origin or a destination, veh/h.
const LEAST_ENDS_VEH_H: f64 = 1e-6;

/// All that a run needs of a start. Turning and demand go into
/// [`PlanInputs`](ltm::PlanInputs), the links into [`State::new`](ltm::State::new).
#[derive(Clone, Debug, PartialEq)]
pub struct Transmission {
    /// The road network, its links and junctions with the same numbers.
    pub network: ltm::Network,
    /// By link.
    pub links: Vec<ltm::LinkStart>,
    /// Trips that begin, without end in time.
    pub demand: Vec<ltm::Demand>,
    /// Shares at junctions, those who end their trip among them.
    pub turning: ltm::Turning,
}

impl Start {
    /// Everything for a run with turning shares. `raised`: what edits raise, as
    /// [`with_ends`] takes it. O(movements).
    ///
    /// # Errors
    /// When the network is too large for the model.
    pub fn transmission(
        &self,
        roads: &road::Network,
        raised: &BTreeMap<LinkIndex, Raised>,
    ) -> Result<Transmission, ltm::NetworkError> {
        let rows = || roads.junction_indexes().zip(&self.ends);
        let origins: Vec<u32> = rows()
            .filter(|(_, ends)| ends.begin_veh_h > LEAST_ENDS_VEH_H)
            .map(|(at, _)| at.number())
            .collect();
        let dead_end = |at: JunctionIndex| {
            roads.incoming(at).iter().any(|link| roads.movement_range(*link).is_empty())
        };
        let destinations: Vec<u32> = rows()
            .filter(|(at, ends)| ends.end_veh_h > LEAST_ENDS_VEH_H || dead_end(*at))
            .map(|(at, _)| at.number())
            .collect();
        let network = with_ends(roads, raised, &origins, &destinations)?;
        Ok(Transmission {
            links: self.link_starts(network.links()),
            demand: self.model_demand(&network),
            turning: self.model_turning(roads, &network),
            network,
        })
    }

    /// The state of each link of the model, moved into what the model's diagram allows. Links of the
    /// model behind the roads are empty.
    pub fn link_starts(&self, links: &[ltm::Link]) -> Vec<ltm::LinkStart> {
        let pairs = self.links.iter().zip(links);
        let mut starts: Vec<ltm::LinkStart> = pairs
            .map(|(start, link)| {
                let density = start.density_veh_km / 1_000.0;
                ltm::LinkStart::measured(link, density, start.flow_veh_h / 3_600.0)
            })
            .collect();
        starts.resize(links.len(), ltm::LinkStart::EMPTY);
        starts
    }

    /// Trips that begin, shared evenly by the origins of a junction. Trips of a junction without
    /// an origin do not begin; without destinations, for routing by turning only.
    pub fn model_demand(&self, network: &ltm::Network) -> Vec<ltm::Demand> {
        let mut origins_at = vec![0.0; self.ends.len()];
        for origin in network.origins() {
            origins_at[origin.junction as usize] += 1.0;
        }
        let rows = (0..).zip(network.origins());
        rows.map(|(number, origin)| {
            let at = origin.junction as usize;
            ltm::Demand {
                origin: number,
                destination: None,
                from_s: 0.0,
                until_s: f64::INFINITY,
                flow_pcu_s: self.ends[at].begin_veh_h / origins_at[at] / 3_600.0,
            }
        })
        .collect()
    }

    /// Shares of every way in with a choice. Movements that the model does not know leave their
    /// share to the others.
    pub fn model_turning(&self, roads: &road::Network, network: &ltm::Network) -> ltm::Turning {
        let mut destinations_at = vec![0.0; self.ends.len()];
        for destination in network.destinations() {
            destinations_at[destination.junction as usize] += 1.0;
        }
        let mut pieces = Vec::new();
        for link in roads.link_indexes() {
            let from = ltm::Entrance::Link(link.number());
            let junction = roads.link(link).to();
            let ending = self.ending_share(roads, junction);
            let share = |exit: ltm::Exit| match exit {
                ltm::Exit::Link(to) => {
                    let at = roads.find_movement(link, LinkIndex::new(to));
                    at.map_or(0.0, |at| self.turning.shares[at.slot()] * (1.0 - ending))
                }
                ltm::Exit::Destination(_) => ending / destinations_at[junction.slot()],
            };
            pieces.extend(piece(from, network.exits(from).map(share).collect()));
        }
        for (origin, _) in (0..).zip(network.origins()) {
            let from = ltm::Entrance::Origin(origin);
            let share = |exit: ltm::Exit| match exit {
                ltm::Exit::Link(to) => self.links[to as usize].flow_veh_h,
                ltm::Exit::Destination(_) => 0.0,
            };
            pieces.extend(piece(from, network.exits(from).map(share).collect()));
        }
        ltm::Turning { pieces }
    }
}

/// None where there is no choice, or nothing to say of it.
fn piece(from: ltm::Entrance, shares: Vec<f64>) -> Option<ltm::TurningPiece> {
    let sum: f64 = shares.iter().sum();
    (shares.len() > 1 && sum > 0.0).then_some(ltm::TurningPiece { from, from_s: 0.0, shares })
}
