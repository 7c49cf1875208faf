//! `citytwin watch`: an area as it changes, until Ctrl-C, a number of messages, or the engine's
//! end. Whoever wants to go on later takes the printed token.

use citytwin_proto::v1;
use clap::Args;

use super::args::{AreaArgs, ClientArgs, FilterArgs};
use super::client::Engine;
use super::failure::Failure;
use super::output::Screen;
use super::show;
use crate::json;

/// `citytwin watch`
#[derive(Args, Clone, Debug)]
pub struct WatchArgs {
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    area: AreaArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Watch H3 cells of this resolution; 0: sensors
    #[arg(long, value_name = "0-10", default_value_t = 0)]
    resolution: i32,
    /// Go on after the message with this resume token
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    resume: String,
    /// Stop after so many messages; 0: never
    #[arg(long, value_name = "N", default_value_t = 0)]
    messages: u64,
}

/// Watches.
///
/// # Errors
/// When the engine cannot be asked or ends, or the output cannot be written.
pub async fn watch(args: &WatchArgs, screen: &mut Screen) -> Result<(), Failure> {
    let request = v1::WatchRequest {
        area: Some(args.area.area()?),
        resolution: args.resolution,
        quantities: args.filter.quantity_numbers(),
        kinds: args.filter.kind_numbers(),
        resume_token: args.resume.clone(),
    };
    let mut engine = Engine::connect(&args.client).await?;
    let stream = engine.operator().watch(request).await;
    let mut stream = stream.map_err(|status| engine.failure(status))?.into_inner();
    let mut seen = 0;
    let mut token = args.resume.clone();
    loop {
        let message = tokio::select! {
            message = stream.message() => message,
            interrupt = tokio::signal::ctrl_c() => {
                interrupt?;
                break;
            }
        };
        let message = match message {
            Ok(Some(message)) => message,
            Ok(None) => break,
            Err(status) if seen == 0 => return Err(engine.failure(status)),
            Err(status) => {
                let failure = engine.failure(status);
                return Err(anyhow::anyhow!("{failure}\nhint: go on with --resume {token}").into());
            }
        };
        token.clone_from(&message.resume_token);
        if engine.json() {
            screen.line(json::line(&message)?)?;
        } else {
            show(&message, screen)?;
        }
        seen += 1;
        if args.messages > 0 && seen >= args.messages {
            break;
        }
    }
    if !engine.json() && !token.is_empty() {
        screen.line(format_args!("go on with --resume {token}"))?;
    }
    Ok(())
}

fn show(message: &v1::WatchResponse, screen: &mut Screen) -> Result<(), Failure> {
    let what = if message.full { "everything" } else { "changes" };
    let as_of = message.as_of.unwrap_or_default();
    let conflated = match message.conflated_epochs {
        0 => String::new(),
        epochs => format!(", {epochs} epochs folded"),
    };
    screen.line(format_args!(
        "{} UTC  {what}: {} sensors, {} cells, {} gone; lag {} ms{conflated}",
        show::time(as_of.arrival_time.as_ref()),
        message.sensors.len(),
        message.cells.len(),
        message.removed_sensors.len() + message.removed_cells.len(),
        message.lag_ms,
    ))?;
    if !message.sensors.is_empty() {
        show::sensors(&message.sensors, screen)?;
    }
    if !message.cells.is_empty() {
        show::cells(&message.cells, screen)?;
    }
    for gone in message.removed_sensors.iter().chain(&message.removed_cells) {
        screen.line(format_args!("{gone}  gone"))?;
    }
    Ok(())
}
