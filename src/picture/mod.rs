//! Pictures of outcomes for a meeting: a map of what changes, and plots over time. A picture is
//! written once, as SVG; its PNG is rasterised from the same text with the fonts in `fonts/`, so
//! both show the same on a machine without fonts. Same input, same bytes.
//!
//! | module | holds |
//! |---|---|
//! | [`map`] | the map of differences |
//! | [`plots`] | speed, delay and queue over time |
//! | `canvas`, `font` | elements of an SVG, widths of text |
//! | `geometry`, `scale` | projection and lines; ticks, classes, colours |
//! | `words` | labels and numbers in Vietnamese and English |
//!
//! No files, no network and no clock here: what is drawn comes in, text and bytes go out.

mod canvas;
mod font;
mod geometry;
pub mod map;
pub mod plots;
mod scale;
mod words;

#[cfg(test)]
mod demo_city;
#[cfg(test)]
mod tests;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::Tree;
use thiserror::Error;

pub use map::{MapInput, difference_map};
pub use plots::{LocalStart, PlotInput, Series, time_plots};
pub use words::Language;

/// The widest PNG, pixels: A0 at 200 dots per inch.
pub const MAX_WIDTH_PX: u32 = 9_400;

/// A finished picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    svg: String,
}

impl Drawing {
    /// As an SVG document. Texts stay texts: to be searched, and edited in a drawing program.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// The same as a PNG of this width; the height follows. Takes 4 bytes a pixel while it draws.
    ///
    /// # Errors
    /// When the width is 0 or more than [`MAX_WIDTH_PX`], or the picture cannot be drawn.
    pub fn png(&self, width_px: u32) -> Result<Vec<u8>, PictureError> {
        if width_px == 0 || width_px > MAX_WIDTH_PX {
            return Err(PictureError::Width(width_px));
        }
        let tree = Tree::from_str(&self.svg, &font::options())
            .map_err(|error| PictureError::Drawing(Box::new(error)))?;
        let size = tree.size().to_int_size().scale_to_width(width_px);
        let pixels = size.and_then(|size| Pixmap::new(size.width(), size.height()));
        let mut pixels = pixels.ok_or(PictureError::Width(width_px))?;
        let scale = pixels.width() as f32 / tree.size().width();
        resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
        pixels.encode_png().map_err(|error| PictureError::Png(Box::new(error)))
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no PNG.
#[derive(Debug, Error)]
pub enum PictureError {
    /// Its width.
    #[error("a picture is 1 to {MAX_WIDTH_PX} pixels wide, not {0}")]
    Width(u32),
    /// The SVG does not hold together.
    #[error("cannot draw the picture")]
    Drawing(#[source] Cause),
    /// The pixels cannot be packed.
    #[error("cannot write the picture as PNG")]
    Png(#[source] Cause),
}
