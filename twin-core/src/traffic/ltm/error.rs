//! Why a network, a plan or a start is refused. Each names the row that is wrong.

use thiserror::Error;

/// What is wrong with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LinkProblem {
    /// Length, speeds or jam density.
    #[error("length, free speed, wave speed and jam density must be finite and above 0")]
    NotPositive,
    /// A capacity of 0 or less, or above the peak of the fundamental diagram.
    #[error("the capacity must be above 0 and at most jam density·u·w/(u+w)")]
    Capacity,
    /// It begins or ends at a junction that is none.
    #[error("it has no such junction")]
    Junction,
}

/// Why links make no network.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum NetworkError {
    /// A link is not allowed.
    #[error("link {link}: {problem}")]
    Link {
        /// Its number.
        link: usize,
        /// What is wrong.
        #[source]
        problem: LinkProblem,
    },
    /// An origin at a junction that is none, or with a capacity of 0 or less.
    #[error("origin {0}: no such junction, or its capacity is not above 0")]
    Origin(usize),
    /// A destination at a junction that is none, or with a capacity of 0 or less.
    #[error("destination {0}: no such junction, or its capacity is not above 0")]
    Destination(usize),
    /// A banned turn names links that do not meet.
    #[error("banned turn {0}: its links do not meet")]
    Ban(usize),
    /// More than 2³¹ rows, or more than 65,535 ways out of one junction.
    #[error("the network is too large")]
    TooLarge,
}

/// Why inputs make no plan.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PlanError {
    /// Not finite, not above 0, or no whole multiple of the step.
    #[error("{0} must be above 0, and a whole multiple of the step")]
    Time(&'static str),
    /// A demand with a negative flow, an empty time, an unknown origin or destination.
    #[error(
        "demand {0}: unknown origin or destination, or a flow or time span that is not allowed"
    )]
    Demand(usize),
    /// Shares of a movement that is none, negative or not finite.
    #[error("turning piece {0}: unknown entrance, wrong number of shares, or a share below 0")]
    Turning(usize),
    /// A change of something that is not there, or with a factor that is not allowed.
    #[error("change {0}: unknown link or movement, or a factor or time span that is not allowed")]
    Change(usize),
    /// A signal without a cycle, or with greens outside it or in the wrong order.
    #[error("signal {0}: greens must be in order, apart, and within a cycle above 0 s")]
    Signal(usize),
    /// A limit on a movement that is none.
    #[error("limit {0}: unknown movement or signal, or a flow below 0")]
    Limit(usize),
    /// Routes need at least one destination, and at most this many.
    #[error("routing by destination takes from 1 to {0} destinations")]
    Destinations(usize),
    /// A junction has more ways out than routes can number.
    #[error("routing by destination takes at most {0} ways out of a junction")]
    TooWide(usize),
    /// The plan is for another network, step, interval or kind of routing than the state.
    #[error("the state belongs to another network, step, interval or kind of routing")]
    OtherPlan,
}

/// Why a link cannot start so.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum StartError {
    /// Another number of starts than links.
    #[error("{given} starts for {links} links")]
    Count {
        /// Starts given.
        given: usize,
        /// Links of the network.
        links: usize,
    },
    /// Flows below 0 or above capacity.
    #[error("link {0}: a flow is below 0 or above capacity")]
    Flow(usize),
    /// Fewer vehicles than the inflow puts on the link at free speed.
    #[error("link {0}: too few vehicles for its inflow")]
    TooFew(usize),
    /// More vehicles than fit, given its outflow.
    #[error("link {0}: more vehicles than fit with its outflow")]
    TooMany(usize),
    /// A mix of destinations for a link or destination that is none, or with bad shares.
    #[error("link {0}: a mix of destinations that is not allowed")]
    Mix(usize),
}
