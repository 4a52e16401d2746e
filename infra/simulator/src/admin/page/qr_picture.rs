//! Reading the QR code in a picture: a screenshot, or a photo of another screen.

use std::io::Cursor;

use image::{ImageReader, Limits};

/// Larger than any screen or phone camera.
const MAX_SIDE: u32 = 10_000;
const MAX_MEMORY: u64 = 512 << 20;

/// Why no code was found; the text is for the person who picked the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum QrPictureError {
    #[error("the file is not a PNG, JPEG or WebP picture of at most 10,000 by 10,000 points")]
    NotAPicture,
    #[error("there is no QR code in the picture that can be read; try a sharper or larger one")]
    NoCode,
}

/// The text of the first code that can be read.
pub(super) fn read(picture: &[u8]) -> Result<String, QrPictureError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    let mut reader =
        ImageReader::new(Cursor::new(picture)).with_guessed_format().map_err(|_| QrPictureError::NotAPicture)?;
    reader.limits(limits);
    let grey = reader.decode().map_err(|_| QrPictureError::NotAPicture)?.into_luma8();
    let (width, height) = (grey.width() as usize, grey.height() as usize);
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        grey.as_raw().get(y * width + x).copied().unwrap_or_default()
    });
    let texts = prepared.detect_grids().into_iter().filter_map(|grid| grid.decode().ok());
    texts.map(|(_, text)| text).next().ok_or(QrPictureError::NoCode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, ImageFormat, Luma};

    const TEXT: &str = "2@Zm9vYmFyYmF6,qK3l,9uT0,c2VjcmV0";

    fn picture_of(text: &str, scale: u32) -> GrayImage {
        let code = fast_qr::QRBuilder::new(text).build().unwrap();
        let side = u32::try_from(code.size).unwrap();
        GrayImage::from_fn((side + 8) * scale, (side + 8) * scale, |x, y| {
            let (x, y) = (x / scale, y / scale);
            let inside = (4..side + 4).contains(&x) && (4..side + 4).contains(&y);
            let dark = inside && code[(y - 4) as usize][(x - 4) as usize].value();
            Luma([if dark { 0 } else { 255 }])
        })
    }

    fn encoded(picture: &GrayImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_code_is_read_from_a_png_and_from_a_jpeg() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            assert_eq!(read(&encoded(&picture_of(TEXT, 6), format)).as_deref(), Ok(TEXT), "{format:?}");
        }
    }

    #[test]
    fn what_holds_no_code_or_is_no_picture_says_so() {
        let blank = encoded(&GrayImage::from_pixel(64, 64, Luma([200])), ImageFormat::Png);
        assert_eq!(read(&blank), Err(QrPictureError::NoCode));
        for data in [&b""[..], b"GIF89a", b"not a picture", &blank[..40]] {
            assert_eq!(read(data), Err(QrPictureError::NotAPicture));
        }
    }
}
