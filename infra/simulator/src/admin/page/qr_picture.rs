//! Reading the QR code in a picture: a screenshot, or a photo of another screen.

use std::io::Cursor;

use png::{ColorType, Transformations};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Larger than any screen or phone camera.
const MAX_SIDE: usize = 10_000;
/// Enough for such a picture in colour.
const MAX_MEMORY: usize = 512 << 20;
const PNG: &[u8] = b"\x89PNG";

/// Why no code was found; the text is for the person who picked the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum QrPictureError {
    #[error("the file is not a PNG or JPEG picture of at most 10,000 by 10,000 points")]
    NotAPicture,
    #[error("there is no QR code in the picture that can be read; try a sharper or larger one")]
    NoCode,
}

/// A picture in shades of grey, line by line.
struct Grey {
    width: usize,
    points: Vec<u8>,
}

/// The text of the first code that can be read.
pub(super) fn read(picture: &[u8]) -> Result<String, QrPictureError> {
    let grey = if picture.starts_with(PNG) { from_png(picture) } else { from_jpeg(picture) };
    let Grey { width, points } = grey.ok_or(QrPictureError::NotAPicture)?;
    let height = points.len().checked_div(width).ok_or(QrPictureError::NotAPicture)?;
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        points.get(y * width + x).copied().unwrap_or_default()
    });
    let texts = prepared.detect_grids().into_iter().filter_map(|grid| grid.decode().ok());
    texts.map(|(_, text)| text).next().ok_or(QrPictureError::NoCode)
}

fn from_jpeg(picture: &[u8]) -> Option<Grey> {
    let options = DecoderOptions::default()
        .set_max_width(MAX_SIDE)
        .set_max_height(MAX_SIDE)
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(picture), options);
    let points = decoder.decode().ok()?;
    let (width, height) = decoder.dimensions()?;
    (points.len() == width * height).then_some(Grey { width, points })
}

fn from_png(picture: &[u8]) -> Option<Grey> {
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(picture), png::Limits { bytes: MAX_MEMORY });
    // Palettes and few or many bits become eight bits for each channel.
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    if width > MAX_SIDE || height > MAX_SIDE {
        return None;
    }
    let mut bytes = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut bytes).ok()?;
    let shown = bytes.get(..frame.buffer_size())?;
    let points: Vec<u8> = match frame.color_type {
        ColorType::Grayscale => shown.to_vec(),
        ColorType::GrayscaleAlpha => shown.chunks_exact(2).map(|point| over_white(point[0], point[1])).collect(),
        ColorType::Rgb => shown.chunks_exact(3).map(luma).collect(),
        ColorType::Rgba => shown.chunks_exact(4).map(|point| over_white(luma(point), point[3])).collect(),
        ColorType::Indexed => return None,
    };
    (points.len() == width * height).then_some(Grey { width, points })
}

/// How bright a point with red, green and blue looks (ITU-R BT.601).
fn luma(point: &[u8]) -> u8 {
    let weighed: u32 = point.iter().zip([77, 150, 29]).map(|(part, weight)| u32::from(*part) * weight).sum();
    u8::try_from(weighed >> 8).unwrap_or(u8::MAX)
}

/// What shows through is white paper.
fn over_white(grey: u8, opacity: u8) -> u8 {
    let mixed = (u32::from(grey) * u32::from(opacity) + 255 * u32::from(255 - opacity)) / 255;
    u8::try_from(mixed).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "2@Zm9vYmFyYmF6,qK3l,9uT0,c2VjcmV0";
    /// The code of `TEXT` as a telephone's camera stores it.
    const JPEG: &[u8] = include_bytes!("../../../tests/qr.jpg");

    fn picture_of(text: &str, color: ColorType) -> Vec<u8> {
        const SCALE: usize = 6;
        let code = fast_qr::QRBuilder::new(text).build().unwrap();
        let side = (code.size + 8) * SCALE;
        let is_dark = |x: usize, y: usize| {
            let (x, y) = (x / SCALE, y / SCALE);
            let inside = (4..code.size + 4).contains(&x) && (4..code.size + 4).contains(&y);
            inside && code[y - 4][x - 4].value()
        };
        let (dark, light): (&[u8], &[u8]) = match color {
            ColorType::Rgba => (&[20, 30, 40, 255], &[0, 0, 0, 0]),
            ColorType::Rgb => (&[90, 0, 0], &[255, 255, 230]),
            _ => (&[0], &[255]),
        };
        let points: Vec<u8> =
            (0..side * side).flat_map(|at| if is_dark(at % side, at / side) { dark } else { light }).copied().collect();
        png_of(u32::try_from(side).unwrap(), color, &points)
    }

    fn png_of(side: u32, color: ColorType, points: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, side, side);
        encoder.set_color(color);
        encoder.write_header().unwrap().write_image_data(points).unwrap();
        bytes
    }

    #[test]
    fn a_code_is_read_from_pictures_as_screenshots_and_cameras_make_them() {
        for color in [ColorType::Grayscale, ColorType::Rgb, ColorType::Rgba] {
            assert_eq!(read(&picture_of(TEXT, color)).as_deref(), Ok(TEXT), "{color:?}");
        }
        assert_eq!(read(JPEG).as_deref(), Ok(TEXT));
    }

    #[test]
    fn what_holds_no_code_or_is_no_picture_says_so() {
        let blank = png_of(64, ColorType::Grayscale, &[200; 64 * 64]);
        assert_eq!(read(&blank), Err(QrPictureError::NoCode));
        for data in [&b""[..], b"GIF89a", b"not a picture", &blank[..40], &JPEG[..100], PNG] {
            assert_eq!(read(data), Err(QrPictureError::NotAPicture), "{data:?}");
        }
    }
}
