//! QR codes as pictures, for clients that show what they are given: a `data:` URL of a PNG.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fast_qr::{ECL, QRBuilder};

/// The white frame that scanners need, in modules.
const QUIET_ZONE: usize = 4;
/// The least width of a picture, in pixels.
const MIN_WIDTH: usize = 256;

/// The code of `text` as a `data:` URL. `None` when the text is longer than any code holds.
pub(crate) fn data_url(text: &str) -> Option<String> {
    let png = png(text)?;
    Some(format!("data:image/png;base64,{}", STANDARD.encode(png)))
}

fn png(text: &str) -> Option<Vec<u8>> {
    let code = QRBuilder::new(text.as_bytes()).ecl(ECL::L).build().ok()?;
    let modules = code.size + 2 * QUIET_ZONE;
    let scale = MIN_WIDTH.div_ceil(modules);
    let width = modules * scale;
    let row_bytes = width.div_ceil(8);
    let mut pixels = Vec::with_capacity(row_bytes * width);
    for y in 0..width {
        let mut row = vec![0xff_u8; row_bytes];
        for x in 0..width {
            let inside = |at: usize| (at / scale).checked_sub(QUIET_ZONE).filter(|module| *module < code.size);
            if let (Some(column), Some(line)) = (inside(x), inside(y))
                && code[line][column].value()
            {
                row[x / 8] &= !(0x80 >> (x % 8));
            }
        }
        pixels.extend(row);
    }
    let side = u32::try_from(width).ok()?;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shows_the_code_inside_a_white_frame() {
        let text = "2@".to_owned() + &"abcdefgh".repeat(28);
        let file = png(&text).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let code = QRBuilder::new(text.as_bytes()).ecl(ECL::L).build().unwrap();
        let scale = info.width as usize / (code.size + 8);
        assert!(info.width >= 256 && info.width == info.height);
        let black = |x: usize, y: usize| pixels[y * info.line_size + x / 8] & (0x80 >> (x % 8)) == 0;
        for y in 0..code.size + 8 {
            for x in 0..code.size + 8 {
                let framed = (4..code.size + 4).contains(&x) && (4..code.size + 4).contains(&y);
                let expected = framed && code[y - 4][x - 4].value();
                assert_eq!(black(x * scale + scale / 2, y * scale + scale / 2), expected, "module {x}, {y}");
            }
        }
    }

    #[test]
    fn a_text_too_long_for_any_code_is_refused() {
        assert_eq!(data_url(&"x".repeat(5000)), None);
    }
}
